"""The latest changes, and those who wait for the next."""

import pytest
from comanda_contracts import seal
from service_kit.http import live_feed as live
from service_kit.http.live_feed import Reader
from serving.domain.ticket import Ticket, TicketEvent
from serving.outbound.changes import Arrival, Changes
from serving.published import Changed, published_event, published_ticket
from uuid_utils.compat import uuid7

from tests.serving.builders import NOON, a_ticket, queued


def arrival(sequence: int, event: TicketEvent) -> Arrival:
    message = seal(published_event(event), event_id=uuid7())
    return Arrival(sequence, message.subject, message.headers, message.body)


def changed(sequence: int, ticket: Ticket) -> Changed:
    return Changed(sequence, published_ticket(ticket))


async def news_of(reader: Reader[Changed]) -> list[Changed | None]:
    return [change async for change in reader.updates()]


def test_what_came_after_a_sequence_is_known_for_each_restaurant() -> None:
    latest, ours, other = Changes(), a_ticket(), a_ticket(restaurant="da-mario")
    started = ours.start(at=NOON)
    latest.note(arrival(3, queued(ours)))
    latest.note(arrival(5, queued(other)))
    latest.note(arrival(8, started))

    assert latest.since("la-piazza", 0) == [changed(3, ours), changed(8, started.ticket)]
    assert latest.since("la-piazza", 3) == [changed(8, started.ticket)]
    assert latest.since("la-piazza", 8) == []
    assert latest.since("da-mario", 3) == [changed(5, other)]


def test_a_sequence_that_has_not_come_is_not_known() -> None:
    latest = Changes()
    latest.note(arrival(8, queued(a_ticket())))

    assert latest.since("la-piazza", 9) is None


def test_of_what_came_long_ago_it_is_known_only_that_it_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "REPLAY_BUFFER_CHANGES", 2)
    latest, tickets = Changes(), [a_ticket() for _ in range(3)]

    for sequence, ticket in enumerate(tickets, start=1):
        latest.note(arrival(sequence, queued(ticket)))

    assert latest.since("la-piazza", 0) is None
    assert latest.since("la-piazza", 1) == [changed(2, tickets[1]), changed(3, tickets[2])]


def test_who_missed_very_much_is_not_told_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "READER_LAG_MAX_CHANGES", 2)
    latest = Changes()
    for sequence in range(1, 4):
        latest.note(arrival(sequence, queued(a_ticket())))

    assert latest.since("la-piazza", 0) is None
    assert len(latest.since("la-piazza", 1) or []) == 2


@pytest.mark.parametrize("subject", ["tickets.v1.la-piazza.o.1.queued", "tickets.v1.la-piazza"])
async def test_what_can_not_be_read_is_left_out(subject: str) -> None:
    latest, ticket = Changes(), a_ticket()
    with latest.reader("la-piazza") as reader:
        latest.note(Arrival(1, subject, {}, b"{}"))
        latest.note(arrival(2, queued(ticket)))

        assert latest.since("la-piazza", 0) == [changed(2, ticket)]
        assert await anext(aiter(reader.updates())) == changed(2, ticket)


async def test_every_reader_of_the_restaurant_is_told() -> None:
    latest, ticket = Changes(), a_ticket()
    with latest.reader("la-piazza") as one, latest.reader("la-piazza") as other:
        latest.note(arrival(1, queued(ticket)))
        latest.note(arrival(2, queued(a_ticket(restaurant="da-mario"))))

        for reader in (one, other):
            assert await anext(aiter(reader.updates())) == changed(1, ticket)


async def test_the_news_end_when_all_readers_are_ended() -> None:
    latest = Changes()
    with latest.reader("la-piazza") as one, latest.reader("da-mario") as other:
        latest.end()

        assert await news_of(one) == await news_of(other) == []


async def test_a_reader_who_falls_behind_comes_to_an_end_and_no_other_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "READER_LAG_MAX_CHANGES", 2)
    latest, tickets = Changes(), [a_ticket() for _ in range(3)]
    with latest.reader("la-piazza") as slow, latest.reader("la-piazza") as quick:
        quick_news = aiter(quick.updates())
        for sequence, ticket in enumerate(tickets, start=1):
            latest.note(arrival(sequence, queued(ticket)))

            assert await anext(quick_news) == changed(sequence, ticket)
        assert await news_of(slow) == []
