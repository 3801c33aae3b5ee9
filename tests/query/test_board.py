"""The board as a pure function of its orders and of how the kitchen worked lately."""

import functools
from typing import Any

import pytest
from comanda_contracts import Order, OrderEvent, TicketEvent, TicketStatus
from query.views.board.view import BOARD_STATUSES, Board, board_of
from query.views.orders.status import ACTIVE, ViewStatus
from query.views.orders.view import document, merge, view_of

from tests.query.builders import (
    NOON,
    a_round,
    after,
    an_order,
    at_table,
    its_ticket,
    news_of,
    placed,
)

NOW = after(600)
PREPARED = [[after(60 * number).timestamp(), 60.0, 0.0] for number in range(10)]
PREPARING, READY, SERVED = TicketStatus.PREPARING, TicketStatus.READY, TicketStatus.SERVED


def stored(*events: OrderEvent | TicketEvent) -> dict[str, Any]:
    return document(functools.reduce(merge, map(view_of, events)))


def numbered(number: int, **fields: Any) -> Order:
    """An order that came so many seconds after noon."""
    rounds = (a_round(1, ordered_at=after(number)),)
    known = {"number": f"A-{number:03}", "placed_at": after(number), "rounds": rounds}
    return an_order(**(known | fields))


def started(order: Order, at: float, **fields: Any) -> TicketEvent:
    return news_of(its_ticket(order, status=PREPARING, started_at=after(at), **fields))


def numbers(board: Board) -> dict[str, list[str]]:
    return {name: [each["number"] for each in orders] for name, orders in board.items()}


def test_an_order_is_on_the_board_until_it_is_served_and_unless_it_is_being_cancelled() -> None:
    assert set(BOARD_STATUSES) == ACTIVE - {ViewStatus.SERVED, ViewStatus.CANCELLING}


def test_what_is_not_ready_is_being_prepared() -> None:
    kitchen = [None, READY, PREPARING, READY]
    orders = []
    for number, status in enumerate(kitchen):
        order = numbered(number)
        ticket = [news_of(its_ticket(order, status=status))] if status else []
        orders.append(stored(placed(order), *ticket))

    board = board_of(orders, [], NOW)

    assert numbers(board) == {"preparing": ["A-000", "A-002"], "ready": ["A-001", "A-003"]}


def test_an_order_on_the_board_says_which_it_is_and_how_it_stands() -> None:
    orders = [numbered(0), numbered(1, **at_table("7"))]
    cooking = stored(placed(orders[0]), started(orders[0], 5))
    ready = stored(placed(orders[1]), news_of(its_ticket(orders[1], status=READY, ready_at=NOW)))

    board = board_of([cooking, ready], [], NOW)

    known = [
        {
            "order_id": str(order.order_id),
            "number": order.number,
            "channel": order.channel,
            "table": order.table,
            "placed_at": found["order"]["placed_at"],
        }
        for order, found in zip(orders, (cooking, ready), strict=True)
    ]
    preparing = {"status": "preparing", "position": None, "estimated_ready_at": None}
    ready_at = ready["tickets"]["1"]["ready_at"]
    assert board == {
        "preparing": [{**known[0], **preparing}],
        "ready": [{**known[1], "ready_at": ready_at}],
    }


def test_those_that_wait_have_a_place_in_the_queue() -> None:
    first, second, third = (numbered(number) for number in range(3))
    orders = [stored(placed(first), started(first, 590)), stored(placed(second))]

    board = board_of([*orders, stored(placed(third))], PREPARED, NOW)

    assert [each["position"] for each in board["preparing"]] == [None, 1, 2]


def test_a_further_round_stands_in_the_queue_by_when_it_was_ordered() -> None:
    rounds = (a_round(1, ordered_at=after(1)), a_round(2, ordered_at=after(500)))
    early = numbered(1, rounds=rounds)
    served = news_of(its_ticket(early, status=SERVED))
    late = numbered(2)

    board = board_of([stored(placed(early), served), stored(placed(late))], PREPARED, NOW)

    assert [(each["number"], each["position"]) for each in board["preparing"]] == [
        ("A-001", 2),
        ("A-002", 1),
    ]


def test_estimates_follow_from_what_stands_before_and_how_long_it_usually_takes() -> None:
    first, second = numbered(1), numbered(2)
    orders = [stored(placed(first), started(first, 580)), stored(placed(second))]

    board = board_of(orders, PREPARED, NOW)

    estimates = [each["estimated_ready_at"] for each in board["preparing"]]
    assert estimates == [after(640), after(700)]


def test_estimates_are_to_the_millisecond() -> None:
    prepared = [[after(61 * number).timestamp(), 60.1236, 0.0] for number in range(10)]
    order = numbered(1)

    board = board_of([stored(placed(order), started(order, 580))], prepared, NOW)

    assert board["preparing"][0]["estimated_ready_at"] == after(640.124)


def test_an_order_is_estimated_to_be_ready_with_its_last_round() -> None:
    order = numbered(1, rounds=(a_round(1), a_round(2, ordered_at=after(2))))

    board = board_of([stored(placed(order), started(order, 580))], PREPARED, NOW)

    assert board["preparing"][0]["estimated_ready_at"] == after(700)


def test_an_order_waits_for_a_round_that_was_ordered_first_and_is_begun_last() -> None:
    order = numbered(1, rounds=(a_round(1), a_round(2, ordered_at=after(2))))

    board = board_of([stored(placed(order), started(order, 580, round=2))], PREPARED, NOW)

    assert board["preparing"][0]["estimated_ready_at"] == after(700)


@pytest.mark.parametrize("made", [[], PREPARED[:4]])
def test_without_history_there_is_no_estimate(made: list[list[float]]) -> None:
    board = board_of([stored(placed(numbered(1)))], made, NOW)

    assert board["preparing"][0]["estimated_ready_at"] is None


def test_voided_rounds_stand_in_nobodys_way() -> None:
    order = numbered(1, rounds=(a_round(1, voided=True), a_round(2)))

    board = board_of([stored(placed(order))], PREPARED, NOW)

    assert board["preparing"][0]["position"] == 1


def test_a_ready_order_says_since_when() -> None:
    order = numbered(1, rounds=(a_round(1), a_round(2)))
    tickets = [
        news_of(its_ticket(order, round=number, status=READY, ready_at=after(seconds)))
        for number, seconds in ((1, 90), (2, 60.5))
    ]

    board = board_of([stored(placed(order), *tickets)], PREPARED, NOW)

    assert board["ready"][0]["ready_at"] == "2026-11-23T12:01:30.000000Z"


def test_the_times_at_which_rounds_were_ready_are_compared_as_times() -> None:
    order = numbered(1, rounds=(a_round(1), a_round(2)))
    tickets = [news_of(its_ticket(order, round=number, status=READY)) for number in (1, 2)]
    found = stored(placed(order), *tickets)
    in_rome, later = "2026-11-23T13:01:00+01:00", "2026-11-23T12:02:00Z"
    found["tickets"]["1"]["ready_at"], found["tickets"]["2"]["ready_at"] = in_rome, later

    board = board_of([found], [], NOW)

    assert board["ready"][0]["ready_at"] == later


def test_a_ready_order_whose_tickets_are_lost_is_ready_since_nobody_knows_when() -> None:
    found = stored(placed(numbered(1))) | {"status": "ready"}

    assert board_of([found], [], NOW)["ready"][0]["ready_at"] is None


DAMAGED: dict[str, Any] = {
    "no number": {"order": {"channel": "takeaway", "placed_at": NOON, "rounds": []}},
    "rounds that are a text": {"order": {"rounds": "none"}},
    "no rounds at all": {"order": {}},
    "no order but a text": {"order": "none"},
    "tickets that are a text": {"tickets": "none"},
    "no time but a text": {"order": {"rounds": [{"round": 1, "ordered_at": "at noon"}]}},
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_an_order_that_can_not_be_read_is_left_out_and_named_and_the_others_are_shown(
    damage: str,
) -> None:
    first, last = numbered(1), numbered(3)
    sound = [stored(placed(first), started(first, 580)), stored(placed(last))]
    damaged = stored(placed(numbered(2))) | DAMAGED[damage]

    board = board_of([sound[0], damaged, sound[1]], PREPARED, NOW)

    left_out = board.pop("left_out")
    assert left_out == [damaged["_id"]]
    assert board == board_of(sound, PREPARED, NOW)
    assert len(board["preparing"]) == 2


def test_a_board_without_damage_leaves_nothing_out() -> None:
    assert board_of([stored(placed(numbered(1)))], [], NOW).keys() == {"preparing", "ready"}
