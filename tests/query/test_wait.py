"""A guest's wait as a pure function of what the board has of his order."""

from datetime import timedelta
from typing import Any

from query.views.board.wait import wait_for

from tests.query.builders import after

NOW = after(30)
ORDER = "0199a7f0-0000-7000-8000-000000000001"


def ready_in(seconds: float) -> dict[str, Any]:
    return {"position": 4, "estimated_ready_at": NOW + timedelta(seconds=seconds)}


def test_an_estimate_is_a_range_of_whole_minutes_around_it() -> None:
    wait = wait_for(ORDER, ready_in(1200), NOW)

    assert wait == {
        "order_id": ORDER,
        "position": 4,
        "ready_from": after(15 * 60),
        "ready_until": after(26 * 60),
    }


def test_a_range_does_not_begin_before_now_however_long_the_kitchen_has_taken() -> None:
    for seconds in (-600, 0, 10):
        wait = wait_for(ORDER, ready_in(seconds), NOW)

        assert (wait["ready_from"], wait["ready_until"]) == (after(0), after(180))


def test_what_is_not_being_prepared_waits_for_nothing() -> None:
    wait = wait_for(ORDER, None, NOW)

    assert wait == {"order_id": ORDER, "position": None, "ready_from": None, "ready_until": None}


def test_it_is_the_same_of_the_boards_own_json() -> None:
    as_sent = {**ready_in(1200), "estimated_ready_at": "2026-11-23T12:20:30Z"}

    assert wait_for(ORDER, as_sent, NOW) == wait_for(ORDER, ready_in(1200), NOW)
