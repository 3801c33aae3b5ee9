"""The fold of the stream's messages into the queues."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from comanda_contracts import TicketStatus, seal
from comanda_contracts.envelope import Message
from hypothesis import given
from hypothesis import strategies as st
from serving.domain.ticket import Ticket, TicketEvent, WrongStatus
from serving.outbound.bookmarks import Bookmark
from serving.outbound.kitchen import Kitchen
from serving.published import published_event, published_ticket
from uuid_utils.compat import uuid7

from tests.serving.builders import NOON, a_ticket, queued
from tests.serving.test_ticket import COMMANDS


def message(event: TicketEvent) -> Message:
    return seal(published_event(event), event_id=uuid7())


def feed(kitchen: Kitchen, *events: TicketEvent) -> None:
    """Apply the events as the next messages of the stream."""
    for event in events:
        apply(kitchen, kitchen.sequence + 1, message(event))


def apply(kitchen: Kitchen, sequence: int, sealed: Message) -> None:
    kitchen.apply(sequence, sealed.subject, sealed.headers, sealed.body)


def test_the_queue_shows_each_ticket_as_its_last_event_left_it() -> None:
    kitchen, ticket = Kitchen(), a_ticket()
    started = ticket.start(at=NOON)

    feed(kitchen, queued(ticket), started)

    assert kitchen.of("la-piazza") == [published_ticket(started.ticket)]


def test_what_was_ordered_first_comes_first_then_by_order_and_round() -> None:
    early, late = UUID(int=1), UUID(int=2)
    in_turn = [
        a_ticket(order_id=late, ordered_at=NOON - timedelta(minutes=1)),
        a_ticket(order_id=early, round=1),
        a_ticket(order_id=early, round=2),
        a_ticket(order_id=late, round=2),
    ]
    kitchen = Kitchen()

    feed(kitchen, *(queued(ticket) for ticket in reversed(in_turn)))

    assert kitchen.of("la-piazza") == [published_ticket(ticket) for ticket in in_turn]


def test_a_restaurant_sees_its_own_tickets_only() -> None:
    kitchen, ticket = Kitchen(), a_ticket()

    feed(kitchen, queued(ticket), queued(replace(ticket, restaurant="da-mario")))

    assert kitchen.of("la-piazza") == [published_ticket(ticket)]
    assert kitchen.of("nowhere") == []


@pytest.mark.parametrize(
    "commands", [["start", "ready", "serve"], ["start", "ready", "serve", "void"], ["void"]]
)
def test_a_ticket_that_is_served_or_voided_leaves_the_queue(commands: list[str]) -> None:
    kitchen, ticket = Kitchen(), a_ticket()
    feed(kitchen, queued(ticket))

    for command in commands:
        event = COMMANDS[command](ticket)
        ticket = event.ticket
        feed(kitchen, event)

    assert kitchen.of("la-piazza") == []


def test_a_ticket_stays_when_its_voiding_was_refused() -> None:
    kitchen, started = Kitchen(), a_ticket().start(at=NOON)

    feed(kitchen, started, started.ticket.void(at=NOON))

    assert [ticket.version for ticket in kitchen.of("la-piazza")] == [3]


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("tickets.v1.la-piazza.queued", b"{}"),
        ("tickets.v1.la-piazza.o.1.queued", b"not JSON"),
        ("tickets.v1.la-piazza.o.1.queued", b"{}"),
    ],
)
def test_a_message_that_makes_no_sense_is_left_out_and_does_not_stop_the_queue(
    subject: str, body: bytes
) -> None:
    kitchen, ticket = Kitchen(), a_ticket()

    kitchen.apply(1, subject, {"ce-type": "comanda.ticket.queued.v1"}, body)
    feed(kitchen, queued(ticket))

    assert kitchen.of("la-piazza") == [published_ticket(ticket)]


def test_the_length_is_counted_by_status_over_all_restaurants() -> None:
    kitchen = Kitchen()

    feed(
        kitchen,
        queued(a_ticket()),
        queued(a_ticket(restaurant="da-mario")),
        a_ticket().start(at=NOON),
    )

    assert kitchen.count(TicketStatus.QUEUED) == 2
    assert kitchen.count(TicketStatus.PREPARING) == 1


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Ticket], list[Message]]:
    """Three tickets as they are in the end, and the messages that made them so, in their order."""
    tickets = [a_ticket(order_id=UUID(int=number)) for number in range(3)]
    stream = [message(queued(ticket)) for ticket in tickets]
    moves = st.tuples(st.integers(0, 2), st.sampled_from(sorted(COMMANDS)))
    for number, command in draw(st.lists(moves, max_size=25)):
        try:
            event = COMMANDS[command](tickets[number])
        except WrongStatus:
            continue
        tickets[number] = event.ticket
        stream.append(message(event))
    return tickets, stream


@given(histories(), st.data())
def test_messages_that_come_again_late_change_nothing(
    history: tuple[list[Ticket], list[Message]], data: st.DataObject
) -> None:
    tickets, stream = history
    kitchen = Kitchen()

    for sequence, sealed in enumerate(stream, start=1):
        apply(kitchen, sequence, sealed)
        again = data.draw(st.integers(1, sequence))
        apply(kitchen, again, stream[again - 1])

    assert kitchen.of("la-piazza") == _in_the_kitchen(tickets)


@given(histories(), st.data())
def test_the_open_tickets_at_any_bookmark_and_what_comes_after_make_the_same_queue(
    history: tuple[list[Ticket], list[Message]], data: st.DataObject
) -> None:
    _, stream = history
    unreadable = data.draw(st.sets(st.integers(1, len(stream))))
    messages = {
        sequence: replace(each, body=b"no JSON") if sequence in unreadable else each
        for sequence, each in enumerate(stream, start=1)
    }
    marks = sorted(data.draw(st.sets(st.integers(1, len(stream)), min_size=1, max_size=3)))
    whole = resumed = Kitchen()

    for sequence, sealed in messages.items():
        apply(whole, sequence, sealed)
        if resumed is not whole:
            apply(resumed, sequence, sealed)
        if sequence in marks:
            assert resumed.bookmark() == whole.bookmark()
            resumed = _gone_on_from(resumed.bookmark(), messages)

    assert resumed.of("la-piazza") == whole.of("la-piazza")
    assert resumed.bookmark() == whole.bookmark()


def _gone_on_from(bookmark: Bookmark | None, messages: Mapping[int, Message]) -> Kitchen:
    """A kitchen that knows nothing but the bookmark and what it names."""
    assert bookmark is not None
    kitchen = Kitchen()
    for sequence in bookmark.open:
        apply(kitchen, sequence, messages[sequence])
    kitchen.go_on_from(bookmark)
    return kitchen


def test_where_the_last_message_has_no_name_there_is_nothing_to_go_on_from() -> None:
    kitchen = Kitchen()
    feed(kitchen, queued(a_ticket()))

    kitchen.apply(2, "tickets.v1.la-piazza.o.1.queued", {}, b"{}")

    assert kitchen.bookmark() is None


def _in_the_kitchen(tickets: list[Ticket]) -> list[object]:
    gone = {"served", "voided"}
    return [published_ticket(ticket) for ticket in tickets if ticket.status not in gone]
