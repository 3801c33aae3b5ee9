"""Sales as a pure sum of orders: what counts, and where."""

import functools
from datetime import datetime
from typing import Any, cast

import pytest
from comanda_contracts import (
    Channel,
    Line,
    Order,
    OrderEvent,
    OrderStatus,
    TicketEvent,
    TicketStatus,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from query.views.merge import Document
from query.views.orders.view import document, merge, view_of
from query.views.sales import histogram
from query.views.sales.histogram import RELATIVE_ERROR, quantile
from query.views.sales.report import By, sales_report
from query.views.sales.view import PREPARATION_SAMPLES_MAX, Hour, Period, Sales, SalesSummary

from tests.query.builders import a_round, after, an_order, its_ticket, news_of, placed
from tests.query.histories import histories

CHANNELS = tuple(Channel)


def stored(*events: OrderEvent | TicketEvent) -> Document:
    """The document of one order."""
    return document(functools.reduce(merge, map(view_of, events)))


def sold(*lines: tuple[str, str, int, int], **fields: Any) -> Document:
    """An order of these items: sku, name, price and quantity."""
    items = tuple(
        Line(sku=sku, name=name, unit_price=price, quantity=quantity)
        for sku, name, price, quantity in lines
    )
    return stored(placed(an_order(rounds=(a_round(1, lines=items),), **fields)))


def wait_of(order: Order, **ticket: Any) -> tuple[int, int]:
    """How many waited for a round to be ready and to be served, with this one ticket."""
    total = Sales.of([stored(placed(order), news_of(its_ticket(order, **ticket)))]).total
    return sum(total.ready.values()), sum(total.served.values())


def test_orders_add_up_by_channel_and_altogether() -> None:
    orders = [
        sold(("tea", "Tea", 300, 2), channel="takeaway"),
        sold(("tea", "Tea", 300, 1), channel="dine_in"),
        sold(("cake", "Cake", 450, 1), channel="dine_in"),
    ]

    sales = Sales.of(orders)

    assert {name: (each.revenue, each.orders) for name, each in sales.channels.items()} == {
        "takeaway": (600, 1),
        "dine_in": (750, 2),
    }
    assert (sales.total.revenue, sales.total.orders, sales.currency) == (1350, 3, "EUR")


def test_items_are_ranked_by_revenue_with_the_orders_that_have_them() -> None:
    orders = [
        sold(("tea", "Tea", 300, 2), ("cake", "Cake", 450, 1), ("tea", "Tea", 300, 1)),
        sold(("cake", "Cake", 450, 2)),
    ]

    items = Sales.of(orders).document()["items"]

    assert [(each["sku"], each["quantity"], each["revenue"], each["orders"]) for each in items] == [
        ("cake", 3, 1350, 2),
        ("tea", 3, 900, 1),
    ]


def test_an_item_has_the_name_it_was_last_sold_by() -> None:
    old = sold(("tea", "Tea", 300, 1), placed_at=after(1))
    new = sold(("tea", "Green tea", 300, 1), placed_at=after(2))

    for orders in ([old, new], [new, old]):
        assert Sales.of(orders).document()["items"][0]["name"] == "Green tea"


def test_cancelled_rounds_do_not_count() -> None:
    order = an_order(rounds=(a_round(1, voided=True), a_round(2)))

    sales = Sales.of([stored(placed(order))])

    assert (sales.total.revenue, sales.total.orders) == (3400, 1)
    assert sales.items["margherita"].quantity == 4


@pytest.mark.parametrize(
    "fields", [{"status": "cancelled"}, {"rounds": (a_round(1, voided=True),)}]
)
def test_cancelled_orders_do_not_count(fields: dict[str, Any]) -> None:
    assert Sales.of([stored(placed(an_order(**fields)))]) == Sales()


def test_an_order_counts_while_its_cancellation_is_not_decided() -> None:
    order = an_order(status=OrderStatus.CANCELLING)

    assert Sales.of([stored(placed(order))]).total.orders == 1


@pytest.mark.parametrize(
    ("status", "counted"),
    [("queued", (0, 0)), ("preparing", (0, 0)), ("ready", (1, 0)), ("served", (1, 1))],
)
def test_a_round_has_waited_once_it_is_ready_and_once_it_is_served(
    status: str, counted: tuple[int, int]
) -> None:
    """A round that was recalled is prepared again, though it has been ready once."""
    served = after(9) if status == "served" else None

    ticket = {"status": TicketStatus(status), "ready_at": after(5), "served_at": served}

    assert wait_of(an_order(), **ticket) == counted


def test_each_round_waits_from_when_it_was_ordered() -> None:
    order = an_order(rounds=(a_round(1), a_round(2, ordered_at=after(600))))
    ready = {"status": TicketStatus.READY}
    tickets = [
        news_of(its_ticket(order, **ready, ready_at=after(60))),
        news_of(its_ticket(order, **ready, round=2, ready_at=after(660), started_at=after(630))),
    ]

    sales = Sales.of([stored(placed(order), *tickets)])

    assert list(sales.total.ready.values()) == [2]
    assert sales.preparations == [[after(660).timestamp(), 30.0, 30.0]]


def test_a_round_has_waited_from_its_order_until_it_was_ready_and_until_it_was_served() -> None:
    order = an_order(rounds=(a_round(1, ordered_at=after(30)),))
    times = {"started_at": after(60), "ready_at": after(90), "served_at": after(130)}
    ticket = its_ticket(order, status=TicketStatus.SERVED, **times)

    total = Sales.of([stored(placed(order), news_of(ticket))]).total

    assert quantile(total.ready, 0.5) == pytest.approx(60, rel=RELATIVE_ERROR)
    assert quantile(total.served, 0.5) == pytest.approx(100, rel=RELATIVE_ERROR)


def test_an_hour_begins_at_its_full_hour() -> None:
    at = datetime(2026, 11, 23, 18, 59, 59, 999_000)  # noqa: DTZ001 - as the store has times

    hour = Hour.of("la-piazza", {"placed_at": at, "business_day": "2026-11-23"})

    assert hour == Hour("la-piazza", "2026-11-23", datetime(2026, 11, 23, 18))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        (None, []),
        (By.DAY, ["2026-11-23"]),
        (By.HOUR, ["2026-11-23"]),
        (By.ITEM, ["Tea"]),
        (By.CATEGORY, ["Drinks"]),
        (By.CHANNEL, ["takeaway"]),
    ],
)
def test_a_report_has_the_groups_that_it_was_asked_for(by: By | None, keys: list[str]) -> None:
    sales = Sales.of([sold(("tea", "Tea", 300, 2))])
    period = Period("2026-11-23", None, sales)

    report = sales_report(SalesSummary([period], after(60)), by, {"tea": "Drinks"})

    name = {By.HOUR: "day", By.ITEM: "name"}.get(by, by) if by else ""
    assert [each[name] for each in report["groups"]] == keys
    assert [each["revenue"] for each in report["groups"]] == [600] * len(keys)


def test_figures_say_what_was_sold_and_how_long_guests_waited() -> None:
    order = an_order()
    times = {"started_at": after(20), "ready_at": after(60), "served_at": after(100)}
    ticket = its_ticket(order, status=TicketStatus.SERVED, **times)
    sales = Sales.of([stored(placed(order), news_of(ticket)), sold(("tea", "Tea", 301, 1))])
    summary = SalesSummary([Period("2026-11-23", None, sales)], after(60))

    report = sales_report(summary, None, {})

    assert report == {
        "currency": "EUR",
        "as_of": after(60),
        "totals": {
            "revenue": 2001,
            "orders": 2,
            "average_basket": 1000,  # half a cent, to the even one
            "waiting": {
                "ready": histogram.summary(sales.total.ready),
                "served": histogram.summary(sales.total.served),
            },
        },
        "groups": [],
    }
    assert report["totals"]["waiting"]["ready"]["p50"] == pytest.approx(60, rel=RELATIVE_ERROR)
    assert report["totals"]["waiting"]["served"]["p50"] == pytest.approx(100, rel=RELATIVE_ERROR)


def test_without_orders_there_is_no_average() -> None:
    totals = sales_report(SalesSummary([], after(60)), None, {})["totals"]

    assert (totals["revenue"], totals["orders"], totals["average_basket"]) == (0, 0, None)


def test_days_and_hours_are_summed_by_themselves() -> None:
    tea = Sales.of([sold(("tea", "Tea", 300, 1))])
    hours = [(day, after(3600 * hour)) for day, hour in (("23", 0), ("23", 1), ("24", 24))]
    summary = SalesSummary([Period(day, hour, tea) for day, hour in hours], after(0))

    by_day, by_hour = (sales_report(summary, by, {})["groups"] for by in (By.DAY, By.HOUR))

    assert [(each["day"], each["revenue"], each["orders"]) for each in by_day] == [
        ("23", 600, 2),
        ("24", 300, 1),
    ]
    assert [(each["day"], each["hour"], each["revenue"]) for each in by_hour] == [
        (*hour, 300) for hour in hours
    ]


def test_categories_are_ranked_by_revenue_and_take_what_was_never_on_the_menu() -> None:
    lines = [
        *(("tea", "Tea", 300, 1), ("cola", "Cola", 200, 2), ("cake", "Cake", 450, 1)),
        *(("pie", "Pie", 250, 1), ("ghost", "Ghost", 10, 1)),
    ]
    sales = Sales.of([sold(*lines)])
    categories = {"tea": "Drinks", "cola": "Drinks", "cake": "Cakes", "pie": "Cakes"}
    summary = SalesSummary([Period("2026-11-23", None, sales)], after(0))

    groups = sales_report(summary, By.CATEGORY, categories)["groups"]
    items = sales_report(summary, By.ITEM, categories)["groups"]

    assert groups == [
        {"category": "Cakes", "quantity": 2, "revenue": 700},
        {"category": "Drinks", "quantity": 3, "revenue": 700},
        {"category": None, "quantity": 1, "revenue": 10},
    ]
    assert {each["sku"]: each["category"] for each in items} == categories | {"ghost": None}


def test_categories_of_the_same_revenue_come_by_name_after_what_has_none() -> None:
    skus = {"a": "Wine", "b": "Cakes", "c": "Zakuski"}
    sales = Sales.of([sold(*((sku, sku, 100, 1) for sku in (*skus, "d")))])
    summary = SalesSummary([Period("2026-11-23", None, sales)], after(0))

    groups = sales_report(summary, By.CATEGORY, skus)["groups"]

    assert [each["category"] for each in groups] == [None, "Cakes", "Wine", "Zakuski"]


def test_channels_come_by_name() -> None:
    sales = Sales.of([sold(("tea", "Tea", 300, 1), channel=name) for name in CHANNELS])
    summary = SalesSummary([Period("2026-11-23", None, sales)], after(0))

    groups = sales_report(summary, By.CHANNEL, {})["groups"]

    assert [each["channel"] for each in groups] == sorted(CHANNELS)
    assert [each["orders"] for each in groups] == [1] * len(CHANNELS)


def test_only_groups_of_items_need_their_sales() -> None:
    assert [by for by in By if by.needs_items] == [By.ITEM, By.CATEGORY]


def test_every_grouping_is_tested_above_and_no_other_one_passes_for_one() -> None:
    summary = SalesSummary([], after(60))

    assert set(By) == {By.DAY, By.HOUR, By.ITEM, By.CATEGORY, By.CHANNEL}
    with pytest.raises(AssertionError, match="week"):
        sales_report(summary, cast("By", "week"), {})


def test_a_cancelled_round_waits_for_nothing() -> None:
    order = an_order(rounds=(a_round(1, voided=True), a_round(2)))

    assert wait_of(order, status=TicketStatus.READY, ready_at=after(5)) == (0, 0)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(histories(), min_size=1, max_size=6), st.data())
def test_sums_of_parts_in_any_order_are_the_sum_of_all(
    told: list[list[OrderEvent | TicketEvent]], data: st.DataObject
) -> None:
    orders = [stored(*history) for history in told]
    cut = data.draw(st.integers(0, len(orders)))
    shuffled = data.draw(st.permutations(orders))

    parts = [Sales.of(shuffled[:cut]), Sales.of(shuffled[cut:])]
    total = Sales()
    for part in parts:
        total.add(Sales.stored(part.document()))

    assert total.document() == Sales.of(orders).document()


def test_parts_that_were_not_read_back_are_empty() -> None:
    assert Sales.stored({"currency": "EUR"}) == Sales(currency="EUR")


def test_of_preparations_the_latest_are_kept() -> None:
    sales = Sales(preparations=[[float(n), 60.0, 0.0] for n in range(PREPARATION_SAMPLES_MAX + 5)])

    kept = sales.document()["made"]

    assert sorted(kept) == sales.preparations[5:]
