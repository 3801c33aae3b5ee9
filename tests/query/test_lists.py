"""Lists of orders over HTTP: what each filter leaves, in which order, and what is refused."""

import asyncio
import itertools
from datetime import date
from typing import Any

import httpx
import pytest
from comanda_contracts import Line, Order, OrderStatus, TicketStatus
from query.storage.orders.store import MongoOrders

from tests.query.builders import (
    NOON,
    a_round,
    after,
    an_order,
    at_table,
    closed,
    its_ticket,
    news_of,
    placed,
)
from tests.query.conftest import store
from tests.query.histories import History


def a_line(name: str, note: str | None = None, price: int = 1000) -> Line:
    return Line(sku="sku", name=name, unit_price=price, quantity=1, note=note)


def ordered(*lines: Line) -> dict[str, Any]:
    """The fields of an order of these lines."""
    return {
        "rounds": (a_round(1, lines=lines),),
        "total": sum(line.unit_price * line.quantity for line in lines),
    }


PLACED: dict[str, dict[str, Any]] = {
    "pizza at table 7": {**at_table("7"), **ordered(a_line("Pizza Margherita"))},
    "wine at table 7": {**at_table("7"), **ordered(a_line("Rosé", price=3000))},
    "closed at table 7": {**at_table("7"), "status": OrderStatus.CLOSED},
    "pasta at table 12": {**at_table("12"), **ordered(a_line("Pasta", "senza aglio"))},
    "Zoë's pizza": {"customer": "Zoë  Ardi", **ordered(a_line("Pizza Zoë", price=2000))},
    "Zoe's cancelled": {"customer": "ZOE ARDI", "status": OrderStatus.CANCELLED},
    "Zoë Ardito's": {"customer": "Zoë Ardito", "status": OrderStatus.CANCELLING},
}
"""What was placed, a second after the other."""

ALL = list(reversed(PLACED))


@pytest.fixture
async def ids(orders: MongoOrders, restaurant: str) -> dict[str, str]:
    """What is on each order, by its id; the pasta is ready, and there is a ticket of an unknown."""
    numbers = itertools.count()
    known = {
        name: an_order(restaurant=restaurant, placed_at=after(next(numbers)), **fields)
        for name, fields in PLACED.items()
    }
    ready = its_ticket(known["pasta at table 12"], status=TicketStatus.READY)
    unknown = its_ticket(an_order(restaurant=restaurant))
    events: History = [placed(order) for order in known.values()]
    elsewhere = an_order(**PLACED["pizza at table 7"])
    await store(orders, *events, news_of(ready), news_of(unknown), placed(elsewhere))
    return {str(order.order_id): name for name, order in known.items()}


LISTS: dict[str, list[str]] = {
    "": ALL,
    "status=ready": ["pasta at table 12"],
    "status=cancelled&status=closed": ["Zoe's cancelled", "closed at table 7"],
    "active=false": ["Zoe's cancelled", "closed at table 7"],
    "active=true&status=ready&status=closed": ["pasta at table 12"],
    "active=true&status=closed": [],
    "channel=takeaway": ["Zoë Ardito's", "Zoe's cancelled", "Zoë's pizza"],
    "table=7": ["closed at table 7", "wine at table 7", "pizza at table 7"],
    "table=7&active=true": ["wine at table 7", "pizza at table 7"],
    "table=7&status=closed": ["closed at table 7"],
    "table=1": [],
    "customer=zoe ardi": ["Zoe's cancelled", "Zoë's pizza"],
    "customer= Zoé ARDI": ["Zoe's cancelled", "Zoë's pizza"],
    "customer=zoe": [],
    "from=2026-11-23T12:00:05Z": ALL[:2],
    "from=2026-11-23T13:00:05%2B01:00": ALL[:2],
    "to=2026-11-23T12:00:01Z": ["pizza at table 7"],
    "from=2026-11-23T12:00:01Z&to=2026-11-23T12:00:02Z": ["wine at table 7"],
    "from=2026-11-24T00:00:00Z&to=2026-11-23T00:00:00Z": [],
    "min_total=2000": ["Zoë's pizza", "wine at table 7"],
    "min_total=2001": ["wine at table 7"],
    "q=pizza": ["Zoë's pizza", "pizza at table 7"],
    "q=zoe": ["Zoë Ardito's", "Zoe's cancelled", "Zoë's pizza"],
    "q=Zoe, PIZZA!": ["Zoë's pizza"],
    "q=aglio": ["pasta at table 12"],
    "q=rosé": ["wine at table 7"],
    "q=ros": [],
    "q=table": [],
    "q=pizza&channel=dine_in&table=7&active=true&min_total=500": ["pizza at table 7"],
    "sort=placed_at": list(PLACED),
    "sort=-total&status=placed": ["wine at table 7", "Zoë's pizza", "pizza at table 7"],
    "sort=total&status=placed": ["pizza at table 7", "Zoë's pizza", "wine at table 7"],
    "sort=total&q=pizza": ["pizza at table 7", "Zoë's pizza"],
    "sort=-total&min_total=2000": ["wine at table 7", "Zoë's pizza"],
}


@pytest.mark.parametrize("filters", LISTS)
async def test_a_list_has_what_its_filters_leave(
    query: httpx.AsyncClient, restaurant: str, ids: dict[str, str], filters: str
) -> None:
    answer = await query.get(f"/v1/restaurants/{restaurant}/orders?{filters}&limit=50")

    if LISTS[filters]:
        assert [ids[each["order_id"]] for each in answer.json()["orders"]] == LISTS[filters]
    else:
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-restaurant")


async def test_an_order_in_a_list_is_the_order_by_its_id_without_its_timeline(
    query: httpx.AsyncClient, restaurant: str, ids: dict[str, str]
) -> None:
    venue = f"/v1/restaurants/{restaurant}/orders"

    listed = (await query.get(f"{venue}?status=ready")).json()["orders"][0]

    whole = (await query.get(f"{venue}/{listed['order_id']}")).json()
    assert whole == {**listed, "timeline": whole["timeline"]}


async def walked(query: httpx.AsyncClient, url: str) -> list[list[str]]:
    """The ids of each page, by the links from one to the next."""
    pages, link = [], ""
    while True:
        answer = await query.get(link or url)
        assert answer.status_code == 200, answer.text
        pages.append([each["order_id"] for each in answer.json()["orders"]])
        changes = answer.links.get("next")
        assert (answer.json()["next"] is None) is (changes is None)
        if changes is None:
            return pages
        link = str(httpx.URL(f"http://query{url}").join(changes["url"]))


@pytest.mark.parametrize("filters", ["", "status=placed&status=ready", "table=7", "q=pizza"])
@pytest.mark.parametrize("sort", ["placed_at", "-placed_at", "total", "-total"])
async def test_the_pages_of_a_list_make_it_up(
    query: httpx.AsyncClient, restaurant: str, ids: dict[str, str], filters: str, sort: str
) -> None:
    url = f"/v1/restaurants/{restaurant}/orders?{filters}&sort={sort}"

    [whole] = await walked(query, f"{url}&limit=50")
    pages = await walked(query, f"{url}&limit=2")

    assert [each for page in pages for each in page] == whole
    assert {len(page) for page in pages[:-1]} <= {2}
    assert pages[-1]


@pytest.mark.parametrize("sort", ["placed_at", "-total"])
async def test_orders_that_are_equal_have_an_order_too(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str, sort: str
) -> None:
    await store(orders, *(placed(an_order(restaurant=restaurant)) for _ in range(9)))
    url = f"/v1/restaurants/{restaurant}/orders?sort={sort}"

    pages = await walked(query, f"{url}&limit=2")

    listed = [each for page in pages for each in page]
    assert listed == sorted(listed, reverse=sort == "-total")
    assert len(listed) == 9


REFUSED = {
    "status=hungry": "status",
    "active=perhaps": "active",
    "channel=drone": "channel",
    "table=": "table",
    "customer=": "customer",
    f"customer={'x' * 101}": "customer",
    "from=yesterday": "from",
    "from=2026-11-23T12:00:00": "from",
    "to=0001-01-01T00:00:00%2B02:00": "to",
    "min_total=-1": "min_total",
    f"min_total={2**53}": "min_total",
    "q=": "q",
    "q=%3F!": "q",
    "sort=customer": "sort",
    "limit=0": "limit",
    "limit=501": "limit",
    "cursor=": "cursor",
    "cursor=nonsense": "cursor",
    "cursor=eyJ9": "cursor",
    "cursor=%F0%9F%8D%95": "cursor",
    "statsu=ready": "statsu",
}


@pytest.mark.parametrize("filters", REFUSED)
async def test_a_parameter_that_makes_no_sense_is_refused_by_its_name(
    query: httpx.AsyncClient, filters: str
) -> None:
    answer = await query.get(f"/v1/restaurants/la-piazza/orders?{filters}")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert [each["field"] for each in answer.json()["errors"]] == [REFUSED[filters]]


@pytest.mark.parametrize(
    "other", ["table=7", "active=true", "sort=placed_at", "sort=-total", "q=a"]
)
async def test_a_cursor_is_of_no_use_for_another_list(
    query: httpx.AsyncClient, restaurant: str, ids: dict[str, str], other: str
) -> None:
    url = f"/v1/restaurants/{restaurant}/orders"
    cursor = (await query.get(f"{url}?limit=2")).json()["next"]

    answer = await query.get(f"{url}?{other}&cursor={cursor}")

    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == ["cursor"]
    larger = await query.get(f"{url}?limit=3&cursor={cursor}")
    assert len(larger.json()["orders"]) == 3


async def test_an_order_is_found_by_its_number_and_day(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    today, yesterday = (
        an_order(restaurant=restaurant, number="A-017", business_day=day)
        for day in (date(2026, 11, 23), date(2026, 11, 22))
    )
    await store(orders, placed(today), placed(yesterday), placed(an_order(number="A-017")))
    venue = f"/v1/restaurants/{restaurant}/orders"

    found = await query.get(f"{venue}/by-number/2026-11-22/A-017")

    by_id = await query.get(f"{venue}/{yesterday.order_id}")
    assert found.json() == by_id.json()
    again = {"If-None-Match": found.headers["ETag"]}
    assert (await query.get(str(found.url), headers=again)).status_code == 304
    for other in ("2026-11-21/A-017", "2026-11-22/A-018"):
        assert (await query.get(f"{venue}/by-number/{other}")).status_code == 404


async def test_an_order_by_its_number_waits_for_its_version(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    order: Order = an_order(restaurant=restaurant, number="A-017", business_day=NOON.date())
    url = f"/v1/restaurants/{restaurant}/orders/by-number/2026-11-23/A-017?min_version="

    for version, event in ((1, placed(order)), (2, closed(order))):
        asking = query.get(f"{url}{version}")
        answer, _ = await asyncio.gather(asking, store(orders, event))

        assert (answer.status_code, answer.json()["version"]) == (200, version)
