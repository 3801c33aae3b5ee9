"""What the examples remember: the newest of everything, and whom they have told."""

import itertools
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from comanda_contracts import Event, ItemsAdded, OrderPlaced, TicketQueued, TicketReady
from comanda_contracts.examples import AT, READY, TAKEAWAY, TAKEAWAY_ID, TICKET
from notices import Notices

from tests.node import node
from tests.subscribers.conftest import EXAMPLES

TICKETS = {
    "queued": TICKET.model_copy(update={"order_id": TAKEAWAY_ID}),
    "ready": READY.model_copy(update={"order_id": TAKEAWAY_ID}),
}
EVENTS: list[Event] = [
    OrderPlaced(at=AT, order=TAKEAWAY),
    TicketQueued(at=AT, ticket=TICKETS["queued"]),
    TicketReady(at=AT, ticket=TICKETS["ready"]),
]
TWO_ROUNDS = TAKEAWAY.model_copy(
    update={
        "version": 2,
        "rounds": (*TAKEAWAY.rounds, TAKEAWAY.rounds[0].model_copy(update={"round": 2})),
    }
)


@pytest.mark.parametrize("events", list(itertools.permutations(EVENTS)))
def test_a_customer_is_to_be_told_whatever_the_order_of_the_events(
    events: tuple[Event, ...], tmp_path: Path
) -> None:
    notices = Notices(tmp_path / "notices")

    for event in (*events, *events):
        notices.apply(event)

    (notice,) = notices.unsettled()
    assert (notice.order, notice.ready_at) == (TAKEAWAY, READY.ready_at)


def test_who_was_told_is_not_told_again_by_the_next_process(tmp_path: Path) -> None:
    notices = Notices(tmp_path / "notices")
    for event in EVENTS:
        notices.apply(event)
    notices.settle(notices.unsettled()[0], "told")

    after = Notices(tmp_path / "notices")
    after.apply(EVENTS[-1])

    assert after.unsettled() == []


@pytest.mark.parametrize("heard_after", range(len(EVENTS) + 1))
def test_an_order_with_a_round_in_the_kitchen_is_not_ready(
    heard_after: int, tmp_path: Path
) -> None:
    notices, events = Notices(tmp_path / "notices"), [*EVENTS]
    events.insert(heard_after, ItemsAdded(at=AT, order=TWO_ROUNDS, round=2))

    for event in events:
        notices.apply(event)

    assert notices.unsettled() == []


def test_nobody_is_told_of_yesterdays_orders(tmp_path: Path) -> None:
    notices = Notices(tmp_path / "notices")
    for event in EVENTS:
        notices.apply(event)
    (notice,) = notices.unsettled()

    assert not notice.is_too_late(notice.ready_at + timedelta(minutes=5))
    assert notice.is_too_late(notice.ready_at + timedelta(days=1))


@pytest.mark.programs
def test_the_one_in_javascript_remembers_alike() -> None:
    tests = [node(), "--test", str(EXAMPLES / "javascript" / "notices.test.mjs")]

    ran = subprocess.run(tests, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout
