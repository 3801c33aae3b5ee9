import random
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import comanda_contracts
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordering.application.keyed_request import KeyReused
from ordering.domain.order import (
    RECALL_MARGIN,
    Cancellation,
    CancellationRefused,
    CancellationRequested,
    ItemsCancelled,
    KitchenVerdict,
    Order,
    OrderCancelled,
    OrderClosed,
    OrderForgotten,
    OrderPlaced,
    OrderStatus,
    Round,
    Takeaway,
    TicketState,
    order_number,
    place,
)
from ordering.domain.preconditions import ExpectedVersion, expect_version, require_order
from ordering.domain.refusals import (
    NAMED_VERSIONS_MAX,
    BadLine,
    CannotOrder,
    CommandExpired,
    CurrencyIsFixed,
    DayNotBegun,
    NotListed,
    OrderNotOpen,
    OrderNotOver,
    OrderTooLarge,
    Refusal,
    StillInTheKitchen,
    TooLateToCancel,
    TooManyWithdrawals,
    UnknownMenuItem,
    UnknownOrder,
    UnknownRestaurant,
    UnknownRound,
    VersionMismatch,
    WithdrawnMenuItem,
)

from tests.ordering.builders import ADA, NOON, TABLE_12, a_line, a_restaurant, an_order

LATE = datetime(2026, 5, 4, 21, 30, tzinfo=UTC)


def test_whoever_places_an_order_is_told_of_all_that_was_asked_for() -> None:
    order_id, lines = uuid.uuid4(), (a_line(),)

    event = place(
        order_id=order_id,
        restaurant=a_restaurant(time_zone="Asia/Tokyo", currency="JPY"),
        sequence=2,
        party=ADA,
        lines=lines,
        at=LATE,
        actor="Gino",
    )

    assert event == OrderPlaced(
        order=Order(
            order_id=order_id,
            restaurant="la-piazza",
            number="A-002",
            business_day=date(2026, 5, 5),
            party=ADA,
            currency="JPY",
            rounds=(Round(round=1, lines=lines, ordered_at=LATE),),
            placed_at=LATE,
            version=1,
        ),
        at=LATE,
        actor="Gino",
    )


def test_a_placed_order_is_open_and_in_the_kitchen() -> None:
    order = an_order()

    assert (order.status, order.version, order.number) == (OrderStatus.OPEN, 1, "A-001")
    assert order.in_the_kitchen == (1,)
    assert order.total == 850


def test_a_further_round_is_numbered_and_adds_to_the_total() -> None:
    event = an_order().add_items((a_line(quantity=2),), at=LATE, actor="Luigi")

    assert (event.round, event.order.version) == (2, 2)
    assert (event.at, event.actor, event.order.rounds[1].ordered_at) == (LATE, "Luigi", LATE)
    assert event.order.total == 3 * 850


def test_the_event_carries_the_order_after_it_and_leaves_the_order_before_it_alone() -> None:
    before = an_order()

    after = before.add_items((a_line(),), at=NOON, actor=None).order

    assert (len(before.rounds), len(after.rounds)) == (1, 2)


def test_a_dine_in_order_closes_once_everything_is_served() -> None:
    order = (
        an_order(TABLE_12, rounds=2)
        .take_verdict(1, KitchenVerdict.SERVED)
        .take_verdict(2, KitchenVerdict.SERVED)
    )

    event = order.close(at=NOON, actor="Gina")

    assert isinstance(event, OrderClosed)
    assert (event.order.status, event.order.version) == (OrderStatus.CLOSED, 3)
    assert (event.at, event.actor) == (NOON, "Gina")


def test_an_order_with_a_round_in_the_kitchen_stays_open() -> None:
    order = an_order(rounds=3).take_verdict(2, KitchenVerdict.SERVED)

    with pytest.raises(StillInTheKitchen, match=r"Order A-001 .* round 1, 3\."):
        order.close(at=NOON, actor=None)


def test_a_closed_order_takes_no_more_items() -> None:
    closed = an_order().take_verdict(1, KitchenVerdict.SERVED).close(at=NOON, actor=None).order

    with pytest.raises(OrderNotOpen, match="A-001 is closed"):
        closed.add_items((a_line(),), at=NOON, actor=None)


def test_only_a_takeaway_order_closes_by_itself_and_only_with_its_last_round() -> None:
    assert an_order(ADA).take_verdict(1, KitchenVerdict.SERVED).closes_by_itself
    assert not an_order(ADA, rounds=2).take_verdict(1, KitchenVerdict.SERVED).closes_by_itself
    assert not an_order(TABLE_12).take_verdict(1, KitchenVerdict.SERVED).closes_by_itself


A_MINUTE = timedelta(minutes=1)
OVER = NOON + A_MINUTE + RECALL_MARGIN


def test_a_takeaway_order_closes_when_nothing_of_it_can_be_taken_back_any_more() -> None:
    once, again = TicketState(4, NOON), TicketState(2, NOON - A_MINUTE)
    half = an_order(ADA, rounds=2).take_verdict(1, KitchenVerdict.SERVED, once)
    order = half.take_verdict(2, KitchenVerdict.SERVED, again)

    assert half.handed_over_at is None
    assert order.handed_over_at == NOON
    assert not order.is_past_recall(at=OVER - timedelta(milliseconds=1), grace=A_MINUTE)
    assert order.is_past_recall(at=OVER, grace=A_MINUTE)
    assert order.is_past_recall(at=NOON, grace=timedelta())
    assert not half.is_past_recall(at=OVER, grace=A_MINUTE)


def test_a_dine_in_order_does_not_close_by_itself_whenever_it_was_served() -> None:
    order = an_order(TABLE_12).take_verdict(1, KitchenVerdict.SERVED, TicketState(4, NOON))

    assert not order.is_past_recall(at=OVER, grace=timedelta())


SERVED, STARTED = KitchenVerdict.SERVED, KitchenVerdict.STARTED
RECALLED_AND_SERVED: list[tuple[KitchenVerdict | None, TicketState]] = [
    (STARTED, TicketState(3)),  # refused to void it
    (SERVED, TicketState(5, NOON)),
    (STARTED, TicketState(6, NOON)),  # recalled
    (SERVED, TicketState(7, NOON + A_MINUTE)),
    (None, TicketState(2_000_000)),  # queued anew, after its stream was lost
    (SERVED, TicketState(2_000_003, NOON)),
]


@pytest.mark.parametrize("known", range(1, len(RECALLED_AND_SERVED) + 1))
@given(chance=st.randoms(use_true_random=False))
def test_the_latest_word_on_a_ticket_counts_in_whatever_order_they_come(
    known: int, chance: random.Random
) -> None:
    words = RECALLED_AND_SERVED[:known] * 2
    chance.shuffle(words)

    order = an_order(ADA)
    for verdict, ticket in words:
        order = order.take_verdict(1, verdict, ticket)

    verdict, ticket = RECALLED_AND_SERVED[known - 1]
    assert (order.verdicts.get(1), order.tickets) == (verdict, {1: ticket})


def test_a_round_that_is_queued_anew_may_be_cancelled_again() -> None:
    """Also one of whose ticket the release before noted nothing, and never by a ticket of old."""
    begun = an_order().take_verdict(1, STARTED)

    queued = begun.take_verdict(1, None, TicketState(2_000_000))

    assert queued.cancel(None, reason="gone", at=NOON, actor=None).order.cancellation
    assert queued.take_verdict(1, STARTED, TicketState(3)) == queued
    with pytest.raises(TooLateToCancel):
        begun.cancel(None, reason="gone", at=NOON, actor=None)


def test_a_round_that_is_recalled_is_in_the_kitchen_again() -> None:
    """Also one that the release before took for served, which noted nothing of its ticket."""
    served = an_order(ADA).take_verdict(1, SERVED)

    assert served.take_verdict(1, STARTED, TicketState(6, NOON)).in_the_kitchen == (1,)
    assert served.take_verdict(1, STARTED, TicketState(3)).in_the_kitchen == ()


def test_statuses_have_the_names_of_the_contract() -> None:
    assert list(map(str, OrderStatus)) == list(map(str, comanda_contracts.OrderStatus))


def test_verdicts_have_the_names_that_stored_rows_have() -> None:
    stored = set(KitchenVerdict) - {KitchenVerdict.ABANDONED}  # which is stored as served

    assert {str(each) for each in stored} == {"begun", "served", "voided"}


def test_a_verdict_that_is_taken_twice_changes_nothing() -> None:
    once = an_order().take_verdict(1, KitchenVerdict.SERVED)

    assert once.take_verdict(1, KitchenVerdict.SERVED) == once
    assert once.version == 1


def cancelled(order: Order, *rounds: int) -> Order:
    """The order, with a cancellation of these rounds (or of all) requested."""
    return order.cancel(rounds or None, reason="the guests left", at=NOON, actor="Luigi").order


def test_an_order_that_is_being_cancelled_is_locked() -> None:
    order = cancelled(an_order(rounds=2))

    assert (order.status, order.version) == (OrderStatus.CANCELLING, 3)
    assert order.cancellation is not None
    assert order.cancellation.rounds == (1, 2)
    with pytest.raises(OrderNotOpen):
        order.add_items((a_line(),), at=NOON, actor=None)
    with pytest.raises(OrderNotOpen):
        order.close(at=NOON, actor=None)
    with pytest.raises(OrderNotOpen):
        cancelled(order, 1)


@pytest.mark.parametrize("rounds", [(), (1, 2)], ids=["all", "named"])
def test_to_ask_for_the_same_cancellation_asks_the_kitchen_again(rounds: tuple[int, ...]) -> None:
    order = cancelled(an_order(rounds=2)).take_verdict(1, KitchenVerdict.VOIDED)

    again = order.cancel(rounds or None, reason="I said so", at=LATE, actor="Gino")

    assert isinstance(again, CancellationRequested)
    assert (again.at, again.actor) == (LATE, "Gino")
    assert again.order == replace(order, version=order.version + 1)


def test_a_cancellation_waits_for_the_kitchens_last_answer() -> None:
    order = cancelled(an_order(rounds=2)).take_verdict(1, KitchenVerdict.VOIDED)

    assert order.end_cancellation(at=NOON) is None


def test_an_order_of_which_everything_is_voided_is_cancelled() -> None:
    order = (
        cancelled(an_order(rounds=2))
        .take_verdict(2, KitchenVerdict.VOIDED)
        .take_verdict(1, KitchenVerdict.VOIDED)
    )

    event = order.end_cancellation(at=NOON)

    assert isinstance(event, OrderCancelled)
    assert (event.order.status, event.order.version, event.order.total) == ("cancelled", 4, 0)
    assert event.reason == "the guests left"


def test_what_the_kitchen_has_begun_stays_and_what_it_has_not_is_voided() -> None:
    order = cancelled(an_order(rounds=3)).take_verdict(1, KitchenVerdict.STARTED)
    order = order.take_verdict(2, KitchenVerdict.VOIDED).take_verdict(3, KitchenVerdict.SERVED)

    event = order.end_cancellation(at=NOON)

    assert isinstance(event, CancellationRefused)
    assert (event.refused, event.voided) == ((1, 3), (2,))
    assert (event.order.status, event.order.total) == ("open", 2 * 850)
    assert event.order.in_the_kitchen == (1,)
    assert event.order.cancellation is None


def test_named_rounds_are_cancelled_and_the_others_stay() -> None:
    order = cancelled(an_order(rounds=2), 2).take_verdict(2, KitchenVerdict.VOIDED)

    event = order.end_cancellation(at=NOON)

    assert isinstance(event, ItemsCancelled)
    assert (event.rounds, event.order.status, event.order.total) == ((2,), "open", 850)
    with pytest.raises(UnknownRound, match="round 2"):
        cancelled(event.order, 2)
    with pytest.raises(UnknownRound, match="Order A-001 has nothing to cancel in round 2, 7"):
        cancelled(event.order, 7, 2)


@pytest.mark.parametrize(
    "verdicts",
    [
        (KitchenVerdict.VOIDED, KitchenVerdict.VOIDED),
        (KitchenVerdict.VOIDED, KitchenVerdict.STARTED),
    ],
    ids=["cancelled", "refused in part"],
)
def test_whoever_asked_for_it_and_why_is_told_again_when_a_cancellation_ends(
    verdicts: tuple[KitchenVerdict, KitchenVerdict],
) -> None:
    requested = an_order(rounds=2).cancel(None, reason="they left", at=NOON, actor="Luigi")

    order = requested.order.take_verdict(1, verdicts[0]).take_verdict(2, verdicts[1])
    event = order.end_cancellation(at=NOON)

    assert event is not None
    assert (event.actor, event.reason) == ("Luigi", "they left")


def test_of_rounds_that_are_cancelled_it_is_told_who_asked_for_it_and_why() -> None:
    requested = an_order(rounds=2).cancel([2], reason="ordered twice", at=NOON, actor="Luigi")

    event = requested.order.take_verdict(2, KitchenVerdict.VOIDED).end_cancellation(at=NOON)

    assert isinstance(event, ItemsCancelled)
    assert (event.actor, event.reason) == ("Luigi", "ordered twice")


def test_a_request_to_cancel_says_who_made_it_when_and_why() -> None:
    event = an_order().cancel([1], reason="changed my mind", at=LATE, actor="Gino")

    assert (event.at, event.actor) == (LATE, "Gino")
    assert event.order.cancellation == Cancellation(
        rounds=(1,), reason="changed my mind", actor="Gino", requested_at=LATE
    )


def test_what_is_known_to_be_begun_is_refused_at_once() -> None:
    order = an_order(rounds=2).take_verdict(1, KitchenVerdict.STARTED)

    with pytest.raises(TooLateToCancel, match="order A-001"):
        cancelled(order, 1)
    assert cancelled(order).cancellation is not None


def test_what_the_kitchen_said_last_of_a_round_is_not_undone_by_what_comes_late() -> None:
    order = (
        an_order(rounds=2)
        .take_verdict(1, KitchenVerdict.SERVED)
        .take_verdict(2, KitchenVerdict.VOIDED)
    )

    assert (
        order.take_verdict(1, KitchenVerdict.STARTED).take_verdict(2, KitchenVerdict.STARTED)
        == order
    )


def test_a_change_meant_for_another_version_is_refused() -> None:
    order = an_order(rounds=2)

    expect_version(order, 2)
    expect_version(order, None)
    with pytest.raises(VersionMismatch):
        expect_version(order, 1)


def test_an_order_of_500_lines_is_taken_and_does_not_outgrow_a_message() -> None:
    order = an_order()
    full = order.add_items((a_line(),) * 499, at=NOON, actor=None).order

    with pytest.raises(OrderTooLarge, match="at most 500 lines"):
        full.add_items((a_line(),), at=NOON, actor=None)


def test_numbers_go_on_with_the_next_letter() -> None:
    numbers = [order_number(n) for n in (1, 17, 999, 1000, 26 * 999, 26 * 999 + 1)]

    assert numbers == ["A-001", "A-017", "A-999", "B-001", "Z-999", "AA-001"]


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_no_two_orders_of_a_day_have_the_same_number(one: int, other: int) -> None:
    assert (order_number(one) == order_number(other)) == (one == other)


def test_the_business_day_is_the_restaurants_own_date() -> None:
    late = datetime(2026, 5, 4, 22, 30, tzinfo=UTC)

    assert a_restaurant(time_zone="Europe/Rome").business_day(late).isoformat() == "2026-05-05"
    assert a_restaurant(time_zone="Europe/London").business_day(late).isoformat() == "2026-05-04"


def test_an_order_is_its_own_restaurants_alone() -> None:
    order = an_order()

    assert require_order(order, "la-piazza", order.order_id) is order
    for found, restaurant in ((order, "elsewhere"), (None, "la-piazza")):
        with pytest.raises(UnknownOrder, match=str(order.order_id)):
            require_order(found, restaurant, order.order_id)


CODES = {
    UnknownRestaurant: "unknown-restaurant",
    UnknownMenuItem: "unknown-item",
    WithdrawnMenuItem: "withdrawn-item",
    NotListed: "invalid-request",
    CurrencyIsFixed: "currency-is-fixed",
    UnknownOrder: "unknown-order",
    CannotOrder: "cannot-order",
    OrderTooLarge: "order-too-large",
    OrderNotOpen: "order-not-open",
    OrderNotOver: "order-not-over",
    StillInTheKitchen: "still-in-the-kitchen",
    UnknownRound: "unknown-round",
    TooLateToCancel: "too-late-to-cancel",
    VersionMismatch: "version-mismatch",
    CommandExpired: "command-expired",
    KeyReused: "idempotency-key-reused",
    TooManyWithdrawals: "too-many-withdrawals",
    DayNotBegun: "invalid-request",
}
"""What clients have been written for."""


def test_every_refusal_keeps_its_code() -> None:
    assert {
        each: each.code
        for each in Refusal.__subclasses__()
        if each.__module__.startswith("ordering.")
    } == CODES


REFUSALS: list[tuple[Callable[[], Refusal], str]] = [
    (lambda: UnknownRestaurant("la-piazza"), "There is no restaurant 'la-piazza'."),
    (
        lambda: NotListed({"currency": "is none", "time_zone": "is nowhere"}),
        "currency: is none; time_zone: is nowhere",
    ),
    (lambda: UnknownMenuItem("cola"), "There is no item 'cola' on the menu."),
    (
        lambda: CannotOrder([BadLine(0, "No tea."), BadLine(1, "No cola.")]),
        "No tea. No cola.",
    ),
    (
        lambda: CommandExpired(LATE),
        "The command was meant until 2026-05-04T21:30:00+00:00; it has had no effect.",
    ),
    (
        lambda: DayNotBegun(date(2026, 5, 5), date(2026, 5, 4)),
        "Business day 2026-05-05 has not begun: 2026-05-04 is running.",
    ),
]


@pytest.mark.parametrize(("refusal", "said"), REFUSALS)
def test_a_refusal_says_what_is_wrong(refusal: Callable[[], Refusal], said: str) -> None:
    assert str(refusal()) == said


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        (2, "2"),
        ([3, 2], "2 or 3"),
        (range(2, NAMED_VERSIONS_MAX + 2), " or ".join(map(str, range(2, 22)))),
        (range(2, NAMED_VERSIONS_MAX + 3), "one that was asked for"),
        ([], "one that was asked for"),
    ],
    ids=["one", "two", "as many as are named", "more", "none"],
)
def test_a_command_for_another_version_is_told_both_unless_it_named_many(
    versions: ExpectedVersion, said: str
) -> None:
    with pytest.raises(VersionMismatch) as refusal:
        expect_version(an_order(), versions)

    assert str(refusal.value) == f"It is at version 1, not {said}."


def test_what_does_not_exist_is_at_version_0() -> None:
    expect_version(None, 0)
    with pytest.raises(VersionMismatch, match="at version 0, not 1"):
        expect_version(None, 1)


@pytest.mark.parametrize("status", [OrderStatus.CLOSED, OrderStatus.CANCELLED])
def test_a_guest_who_is_forgotten_is_named_by_nothing_in_the_order(status: OrderStatus) -> None:
    noted = replace(a_line(), note="for Zebulon")
    order = replace(
        an_order(Takeaway(customer="Zebulon", phone="+39 5551234")),
        rounds=(Round(round=1, lines=(noted,), ordered_at=NOON),),
        status=status,
        verdicts={1: KitchenVerdict.SERVED},
    )

    event = order.forget(at=NOON, actor="Gina")

    assert isinstance(event, OrderForgotten)
    assert "ebulon" not in repr(event)
    assert "5551234" not in repr(event)
    assert event.order == replace(
        order,
        version=order.version + 1,
        party=Takeaway(customer=None),
        rounds=(replace(order.rounds[0], lines=(replace(noted, note=None),)),),
        forgotten_at=NOON,
    )


def test_a_guest_who_is_forgotten_again_is_so_above_each_version_that_is_known() -> None:
    order = replace(an_order(), status=OrderStatus.CLOSED, version=3)

    assert order.forget(at=NOON, actor=None, known_version=7).order.version == 8
    assert order.forget(at=NOON, actor=None, known_version=2).order.version == 4


@pytest.mark.parametrize("status", [OrderStatus.OPEN, OrderStatus.CANCELLING])
def test_the_guest_of_an_order_that_is_under_way_is_not_forgotten(status: OrderStatus) -> None:
    order = replace(an_order(), status=status)

    with pytest.raises(OrderNotOver):
        order.forget(at=NOON, actor=None)


def test_an_order_that_is_restated_says_what_the_kitchen_is_to_have_and_is_as_it_was() -> None:
    order = an_order(rounds=4).take_verdict(1, KitchenVerdict.SERVED)
    order = order.take_verdict(2, KitchenVerdict.VOIDED).take_verdict(3, KitchenVerdict.STARTED)

    event = order.restate(at=NOON)

    assert (event.open_rounds, event.served_rounds) == ((3, 4), (1,))
    assert event.order == replace(order, version=order.version + 1)


@pytest.mark.parametrize("status", [OrderStatus.CLOSED, OrderStatus.CANCELLED])
def test_nothing_of_an_order_that_is_over_is_for_the_kitchen(status: OrderStatus) -> None:
    order = replace(an_order(rounds=2).take_verdict(1, KitchenVerdict.SERVED), status=status)

    event = order.restate(at=NOON)

    assert (event.open_rounds, event.served_rounds) == ((), (1,))
