"""The latest changes of tickets, and the readers of the next ones."""

import pytest
from comanda_contracts import seal
from service_kit.http import live_feed, unsent
from service_kit.http.live_feed import Reader
from serving.contract import event_to_contract, ticket_to_contract
from serving.domain.ticket import Ticket, TicketEvent
from serving.outbound.ticket_changes import TicketChanges, TicketMessage
from serving.queue_updates import TicketChange
from uuid_utils.compat import uuid7

from tests.serving.builders import NOON, a_ticket, queued


def message_of(sequence: int, event: TicketEvent) -> TicketMessage:
    message = seal(event_to_contract(event), event_id=uuid7())
    return TicketMessage(sequence, message.subject, message.headers, message.body)


def change_to(sequence: int, ticket: Ticket) -> TicketChange:
    return TicketChange(sequence, ticket_to_contract(ticket))


async def updates_of(reader: Reader[TicketChange]) -> list[TicketChange | None]:
    return [change async for change in reader.updates()]


def test_what_came_after_a_sequence_is_known_for_each_restaurant() -> None:
    changes, ours, other = TicketChanges(), a_ticket(), a_ticket(restaurant="da-mario")
    started = ours.start(at=NOON)
    changes.append(message_of(3, queued(ours)))
    changes.append(message_of(5, queued(other)))
    changes.append(message_of(8, started))

    assert changes.since("la-piazza", 0) == [change_to(3, ours), change_to(8, started.ticket)]
    assert changes.since("la-piazza", 3) == [change_to(8, started.ticket)]
    assert changes.since("la-piazza", 8) == []
    assert changes.since("da-mario", 3) == [change_to(5, other)]


def test_a_sequence_that_has_not_come_is_not_known() -> None:
    changes = TicketChanges()
    changes.append(message_of(8, queued(a_ticket())))

    assert changes.since("la-piazza", 9) is None


def test_of_what_came_long_ago_it_is_known_only_that_it_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_feed, "REPLAY_BUFFER_CHANGES", 2)
    changes, tickets = TicketChanges(), [a_ticket() for _ in range(3)]

    for sequence, ticket in enumerate(tickets, start=1):
        changes.append(message_of(sequence, queued(ticket)))

    assert changes.since("la-piazza", 0) is None
    assert changes.since("la-piazza", 1) == [change_to(2, tickets[1]), change_to(3, tickets[2])]


def test_who_missed_very_much_is_not_told_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "READER_LAG_MAX_CHANGES", 2)
    changes = TicketChanges()
    for sequence in range(1, 4):
        changes.append(message_of(sequence, queued(a_ticket())))

    assert changes.since("la-piazza", 0) is None
    assert len(changes.since("la-piazza", 1) or []) == 2


@pytest.mark.parametrize("subject", ["tickets.v1.la-piazza.o.1.queued", "tickets.v1.la-piazza"])
async def test_what_can_not_be_read_is_left_out(subject: str) -> None:
    changes, ticket = TicketChanges(), a_ticket()
    with changes.reader("la-piazza") as reader:
        changes.append(TicketMessage(1, subject, {}, b"{}"))
        changes.append(message_of(2, queued(ticket)))

        assert changes.since("la-piazza", 0) == [change_to(2, ticket)]
        assert await anext(aiter(reader.updates())) == change_to(2, ticket)


def test_a_ticket_that_is_forgotten_long_after_it_was_voided_comes_on_no_screen() -> None:
    changes = TicketChanges()
    voided = a_ticket().void(at=NOON).ticket
    changes.append(message_of(1, voided.forget(at=NOON)))
    is_open = a_ticket().forget(at=NOON)
    changes.append(message_of(2, is_open))

    assert changes.since("la-piazza", 0) == [change_to(2, is_open.ticket)]


async def test_every_reader_of_the_restaurant_is_told() -> None:
    changes, ticket = TicketChanges(), a_ticket()
    with changes.reader("la-piazza") as one, changes.reader("la-piazza") as other:
        changes.append(message_of(1, queued(ticket)))
        changes.append(message_of(2, queued(a_ticket(restaurant="da-mario"))))

        for reader in (one, other):
            assert await anext(aiter(reader.updates())) == change_to(1, ticket)


async def test_a_feed_ends_when_all_readers_are_ended() -> None:
    changes = TicketChanges()
    with changes.reader("la-piazza") as one, changes.reader("da-mario") as other:
        changes.end()

        assert await updates_of(one) == await updates_of(other) == []


async def test_a_reader_who_falls_behind_comes_to_an_end_and_no_other_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_feed, "READER_LAG_MAX_CHANGES", 2)
    changes, tickets = TicketChanges(), [a_ticket() for _ in range(3)]
    with changes.reader("la-piazza") as slow, changes.reader("la-piazza") as quick:
        quick_updates = aiter(quick.updates())
        for sequence, ticket in enumerate(tickets, start=1):
            changes.append(message_of(sequence, queued(ticket)))

            assert await anext(quick_updates) == change_to(sequence, ticket)
        assert await updates_of(slow) == []


async def test_a_reader_who_is_behind_by_too_many_bytes_comes_to_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_feed, "READER_LAG_MAX_BYTES", 100)
    changes = TicketChanges()
    with changes.reader("la-piazza") as slow:
        changes.append(message_of(1, queued(a_ticket())))
        changes.append(message_of(2, queued(a_ticket())))

        assert await anext(slow.updates(), None) is None


def test_a_change_counts_once_however_many_readers_wait_to_send_it() -> None:
    changes, ticket, before = TicketChanges(), a_ticket(), unsent.PROCESS.total
    with changes.reader("la-piazza"), changes.reader("la-piazza"):
        changes.append(message_of(1, queued(ticket)))

        assert unsent.PROCESS.total - before == len(change_to(1, ticket).json)
