"""The fold of an order and its tickets: the same whatever came twice, late or out of order."""

import functools
from datetime import datetime, timedelta, timezone
from typing import cast

import pytest
from comanda_contracts import (
    AnyTicketStatus,
    CancellationRequested,
    ItemsAdded,
    MenuEvent,
    Order,
    OrderEvent,
    OrderForgotten,
    OrderStatus,
    RestaurantEvent,
    TicketEvent,
    TicketForgotten,
    TicketStatus,
)
from comanda_contracts.envelope import Event
from comanda_contracts.examples import EXAMPLES
from comanda_contracts.guest_status import GuestStatus, guest_status
from hypothesis import given
from hypothesis import strategies as st
from query.views import menu
from query.views.merge import merge_by_key
from query.views.orders.presentation import is_known, present_order
from query.views.orders.search_terms import terms_of
from query.views.orders.status import ACTIVE, ViewStatus, is_active
from query.views.orders.tables import STATUSES_BY_URGENCY
from query.views.orders.view import BatchFold, OrderView, document, merge, view_of

from tests.query.builders import (
    SHOWN,
    a_round,
    after,
    an_order,
    closed,
    its_ticket,
    news_of,
    placed,
)
from tests.query.histories import History, deliveries, histories
from tests.support.machine_zone import machine_in

VOIDED = TicketStatus.VOIDED
QUEUED = TicketStatus.QUEUED
PREPARING = TicketStatus.PREPARING
READY = TicketStatus.READY
SERVED = TicketStatus.SERVED


def fold(*events: OrderEvent | TicketEvent) -> OrderView:
    return functools.reduce(merge, map(view_of, events))


@given(st.data())
def test_any_order_and_repetition_of_its_events_gives_the_same_view(data: st.DataObject) -> None:
    history = data.draw(histories())
    delivered = data.draw(deliveries(history))

    assert document(fold(*delivered)) == document(fold(*history))


@given(st.data())
def test_views_join_in_any_grouping(data: st.DataObject) -> None:
    history = data.draw(histories())
    parts = st.lists(st.sampled_from(history), min_size=1)
    one, two, three = (fold(*data.draw(parts)) for _ in range(3))

    assert merge(one, merge(two, three)) == merge(merge(one, two), three)
    assert merge(one, two) == merge(two, one)
    assert merge(one, one) == one


@given(st.data())
def test_a_batch_is_folded_as_its_views_are_merged(data: st.DataObject) -> None:
    one, other = data.draw(histories()), data.draw(histories())
    batch = data.draw(st.lists(st.sampled_from([*one, *other])))
    batch_fold = BatchFold()

    for event in batch:
        batch_fold.add(event)

    views = map(view_of, batch)
    assert list(batch_fold.views()) == merge_by_key(views, lambda view: view.order_id, merge)


def test_an_event_that_no_view_can_be_made_of_fails_its_batch_also_beside_a_newer_one() -> None:
    order = an_order()
    batch_fold = BatchFold()
    batch_fold.add(closed(order))
    late = datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-12)))

    with pytest.raises(OverflowError):
        batch_fold.add(placed(order.model_copy(update={"placed_at": late})))


@given(st.data())
def test_the_highest_version_of_the_order_and_of_each_ticket_stays(data: st.DataObject) -> None:
    history = data.draw(histories())
    newest = {type(each.state): each.state.version for each in history}

    view = fold(*data.draw(deliveries(history)))

    assert view.order is not None
    assert view.order["version"] == newest[Order]
    assert {number: each["version"] for number, each in view.tickets.items()} == {
        str(each.ticket.round): each.ticket.version
        for each in history
        if isinstance(each, TicketEvent)
    }


@given(histories())
def test_a_view_tells_once_of_every_event_since_its_guest_was_forgotten(history: History) -> None:
    view = fold(*history)

    told = [
        event
        for place, event in enumerate(history)
        if not any(is_forgotten(later) and later.key == event.key for later in history[place + 1 :])
    ]
    assert len(view.timeline) == len(told)


@given(st.data())
def test_a_view_is_the_same_whether_what_was_erased_is_read_or_not(data: st.DataObject) -> None:
    history = data.draw(histories())
    erased = [
        event
        for place, event in enumerate(history)
        if any(is_forgotten(later) and later.key == event.key for later in history[place + 1 :])
    ]
    left = [event for event in history if event not in erased]
    some = data.draw(st.lists(st.sampled_from(erased))) if erased else []

    assert document(fold(*left, *some)) == document(fold(*history))
    assert document(fold(*some, *left)) == document(fold(*history))


def is_forgotten(event: OrderEvent | TicketEvent) -> bool:
    return isinstance(event, OrderForgotten | TicketForgotten)


@pytest.mark.parametrize(
    ("tickets", "status"),
    [
        ([None], "placed"),
        ([QUEUED], "placed"),
        ([PREPARING], "preparing"),
        ([READY], "ready"),
        ([SERVED], "served"),
        ([VOIDED], "placed"),
        ([READY, None], "preparing"),
        ([READY, QUEUED], "preparing"),
        ([READY, PREPARING], "preparing"),
        ([READY, READY], "ready"),
        ([SERVED, READY], "ready"),
        ([SERVED, QUEUED], "preparing"),
        ([SERVED, None], "preparing"),
        ([SERVED, QUEUED, VOIDED], "preparing"),
        ([SERVED, VOIDED], "served"),
        ([READY, VOIDED], "ready"),
        ([QUEUED, VOIDED], "placed"),
        ([SERVED, PREPARING], "preparing"),
        ([SERVED, SERVED], "served"),
        (["cooling"], "preparing"),
        (["cooling", READY], "preparing"),
    ],
)
def test_an_open_order_is_as_far_as_its_rounds(
    tickets: list[AnyTicketStatus | None], status: str
) -> None:
    order = an_order(rounds=tuple(a_round(number + 1) for number in range(len(tickets))))
    news = [
        news_of(its_ticket(order, round=number, status=each))
        for number, each in enumerate(tickets, start=1)
        if each
    ]

    assert document(fold(placed(order), *news))["status"] == status


def test_a_round_that_the_order_voided_is_not_one_that_was_served() -> None:
    order = an_order(rounds=(a_round(1), a_round(2, voided=True)))

    assert document(fold(placed(order)))["status"] == "placed"


def test_the_statuses_are_those_of_the_contract() -> None:
    assert list(map(str, ViewStatus)) == list(map(str, GuestStatus))


@given(histories())
def test_a_view_has_the_status_that_a_subscriber_derives(history: History) -> None:
    orders = [each.order for each in history if isinstance(each, OrderEvent)]
    tickets = {each.ticket.round: each.ticket for each in history if isinstance(each, TicketEvent)}

    view = fold(*history)

    assert document(view)["status"] == guest_status(orders[-1], tickets.values())


@pytest.mark.parametrize("voided", [None, QUEUED, PREPARING, READY, VOIDED])
def test_a_voided_round_holds_nothing_up(voided: TicketStatus | None) -> None:
    order = an_order(rounds=(a_round(1), a_round(2, voided=True)))
    news = [news_of(its_ticket(order, round=1, status=SERVED))]
    if voided:
        news.append(news_of(its_ticket(order, round=2, status=voided)))

    assert document(fold(placed(order), *news))["status"] == "served"


@pytest.mark.parametrize("status", [each for each in OrderStatus if each is not OrderStatus.OPEN])
@pytest.mark.parametrize("kitchen", TicketStatus)
def test_what_ordering_decided_wins(status: OrderStatus, kitchen: TicketStatus) -> None:
    order = an_order(status=status)

    view = fold(placed(order), news_of(its_ticket(order, status=kitchen)))

    assert document(view)["status"] == status


@pytest.mark.parametrize("kitchen", TicketStatus)
def test_an_order_with_a_status_of_a_later_release_is_as_far_as_its_rounds(
    kitchen: TicketStatus,
) -> None:
    paused, order = an_order(status="paused"), an_order()
    ready = its_ticket(order, status=kitchen)

    status = document(fold(placed(paused), news_of(ready)))["status"]

    assert status == document(fold(placed(order), news_of(ready)))["status"]
    assert is_active(paused)


@pytest.mark.parametrize("status", OrderStatus)
def test_an_order_is_active_until_it_is_closed_or_cancelled(status: OrderStatus) -> None:
    is_over = status in (OrderStatus.CLOSED, OrderStatus.CANCELLED)

    assert is_active(an_order(status=status)) is not is_over
    if status is not OrderStatus.OPEN:  # then the view has the same status
        assert (ViewStatus(status) in ACTIVE) is not is_over


def test_every_active_status_has_its_urgency() -> None:
    assert set(STATUSES_BY_URGENCY) == ACTIVE


@pytest.mark.parametrize("event", [each for each in EXAMPLES if isinstance(each, OrderEvent)])
def test_an_entry_of_the_timeline_has_the_reason_that_its_event_has(event: OrderEvent) -> None:
    [entry] = view_of(event).timeline.values()

    reason = getattr(event, "reason", None)
    if isinstance(event, CancellationRequested) and event.order.cancellation:
        reason = event.order.cancellation.reason
        assert reason
    assert entry["reason"] == reason


@pytest.mark.parametrize("event", SHOWN, ids=lambda event: type(event).__name__)
def test_every_event_has_the_view_of_its_kind(event: Event) -> None:
    match event:
        case OrderEvent():
            assert view_of(event).order
        case TicketEvent():
            assert view_of(event).tickets
        case MenuEvent():
            assert menu.view_of(event).key == f"{event.item.restaurant}/{event.item.sku}"
        case RestaurantEvent():
            assert menu.view_of(event).key == event.restaurant.restaurant
        case _:
            raise AssertionError(event)


def test_an_event_of_no_kind_has_no_view() -> None:
    [menu_event, *_] = (each for each in EXAMPLES if isinstance(each, MenuEvent))

    with pytest.raises(AssertionError, match=type(menu_event).__name__):
        view_of(cast("OrderEvent", menu_event))
    with pytest.raises(AssertionError, match=type(menu_event).__name__):
        BatchFold().add(cast("OrderEvent", menu_event))
    with pytest.raises(AssertionError, match="OrderPlaced"):
        menu.view_of(cast("MenuEvent", placed(an_order())))


def test_an_orders_state_is_the_order_as_json_and_what_the_store_finds_it_by() -> None:
    order = an_order(version=3, rounds=(a_round(1), a_round(2, voided=True)))

    state = fold(placed(order)).order

    assert state is not None
    as_json = order.model_dump(mode="json")
    for elsewhere in ("order_id", "restaurant", "cancellation"):
        del as_json[elsewhere]
    assert state == as_json | {
        "rounds": [
            {**each, "total": total}
            for each, total in zip(as_json["rounds"], (1700, 3400), strict=True)
        ],
        "placed_at": order.placed_at.replace(tzinfo=None),
        "found_by": terms_of(order),
        "assumed": {"1": {"status": "queued"}},
        "overruled": {"2": {"status": "voided"}},
    }


def test_a_tickets_state_is_how_far_it_is_and_when_it_came_there() -> None:
    times = {"started_at": after(1), "ready_at": after(2), "served_at": None}
    ticket = its_ticket(an_order(), round=2, version=3, status=READY, **times)

    view = fold(news_of(ticket, at=after(2)))

    as_json = ticket.model_dump(mode="json")
    assert view.tickets == {"2": {name: as_json[name] for name in ("version", "status", *times)}}
    [(key, entry)] = view.timeline.items()
    assert (key, entry["source"], entry["round"]) == ("serving-2-3", "serving", 2)


def test_states_begin_with_their_version_because_the_store_compares_by_it() -> None:
    order = an_order()

    view = fold(placed(order), news_of(its_ticket(order)))

    assert view.order is not None
    assert next(iter(view.order)) == next(iter(view.tickets["1"])) == "version"


@pytest.mark.parametrize(
    ("microsecond", "stored"),
    [(0, 0), (999, 0), (1_000, 1_000), (1_999, 1_000), (999_999, 999_000)],
)
def test_an_order_is_placed_in_utc_to_the_millisecond_as_the_store_has_times(
    microsecond: int, stored: int
) -> None:
    in_rome = datetime(2026, 11, 23, 0, 30, 15, microsecond, timezone(timedelta(hours=1)))

    with machine_in("Asia/Tokyo"):  # which means nothing
        view = fold(placed(an_order(placed_at=in_rome)))

    assert view.order is not None
    at = datetime(2026, 11, 22, 23, 30, 15, stored)  # noqa: DTZ001 - without a zone
    assert view.order["placed_at"] == at


def test_a_ticket_ahead_of_its_order_is_stored_and_not_shown() -> None:
    ahead = document(fold(news_of(its_ticket(an_order(), status=READY))))

    assert not is_known(ahead)
    assert ahead["status"] is None


def test_a_round_that_only_the_kitchen_knows_of_keeps_an_order_from_being_served() -> None:
    order = an_order()

    view = fold(
        placed(order),
        news_of(its_ticket(order, status=SERVED)),
        news_of(its_ticket(order, round=2)),
    )

    assert document(view)["status"] == "preparing"


def test_the_timeline_is_shown_by_time_and_only_then_by_source() -> None:
    order = an_order()
    told = fold(
        closed(order, at=after(9)),
        news_of(its_ticket(order, version=2, status=PREPARING), at=after(1.5)),
        news_of(its_ticket(order), at=after(1)),
        placed(order, at=after(1)),
    )

    timeline = present_order(document(told))["timeline"]

    assert [each["event"] for each in timeline] == ["placed", "queued", "started", "closed"]


def test_an_added_round_is_told_of_by_its_number() -> None:
    order = an_order(version=2, rounds=(a_round(1), a_round(2)))

    view = fold(ItemsAdded(order=order, round=2, at=after(60)))

    assert view.timeline["ordering-2"] == {
        "at": "2026-11-23T12:01:00.000000Z",
        "event": "items-added",
        "source": "ordering",
        "round": 2,
        "version": 2,
        "actor": None,
        "reason": None,
    }


def test_each_round_is_shown_with_its_total_and_its_ticket() -> None:
    order = an_order(rounds=(a_round(1), a_round(2, voided=True)))

    shown = present_order(document(fold(placed(order), news_of(its_ticket(order, version=1)))))

    assert [(each["total"], each["voided"]) for each in shown["rounds"]] == [
        (1700, False),
        (3400, True),
    ]
    assert shown["rounds"][0]["ticket"]["status"] == "queued"
    assert shown["rounds"][1]["ticket"] is None
    assert shown["total"] == 1700
