"""The fold of the stream's messages into the open tickets."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from comanda_contracts import TicketStatus, seal
from comanda_contracts.envelope import Message
from hypothesis import given
from hypothesis import strategies as st
from serving.contract import event_to_contract, ticket_to_contract
from serving.domain.ticket import Ticket, TicketEvent, WrongStatus
from serving.outbound.bookmarks import Bookmark
from serving.outbound.open_tickets import OpenTickets
from uuid_utils.compat import uuid7

from tests.serving.builders import NOON, a_ticket, queued
from tests.serving.test_ticket import COMMANDS


def message(event: TicketEvent) -> Message:
    return seal(event_to_contract(event), event_id=uuid7())


def feed(open_tickets: OpenTickets, *events: TicketEvent) -> None:
    """Apply the events as the next messages of the stream."""
    for event in events:
        apply(open_tickets, open_tickets.sequence + 1, message(event))


def apply(open_tickets: OpenTickets, sequence: int, sealed: Message) -> None:
    open_tickets.apply(sequence, sealed.subject, sealed.headers, sealed.body)


def test_the_queue_shows_each_ticket_as_its_last_event_left_it() -> None:
    open_tickets, ticket = OpenTickets(), a_ticket()
    started = ticket.start(at=NOON)

    feed(open_tickets, queued(ticket), started)

    assert open_tickets.of("la-piazza") == [ticket_to_contract(started.ticket)]


def test_what_was_ordered_first_comes_first_then_by_order_and_round() -> None:
    early, late = UUID(int=1), UUID(int=2)
    in_turn = [
        a_ticket(order_id=late, ordered_at=NOON - timedelta(minutes=1)),
        a_ticket(order_id=early, round=1),
        a_ticket(order_id=early, round=2),
        a_ticket(order_id=late, round=2),
    ]
    open_tickets = OpenTickets()

    feed(open_tickets, *(queued(ticket) for ticket in reversed(in_turn)))

    assert open_tickets.of("la-piazza") == [ticket_to_contract(ticket) for ticket in in_turn]


def test_a_restaurant_sees_its_own_tickets_only() -> None:
    open_tickets, ticket = OpenTickets(), a_ticket()

    feed(open_tickets, queued(ticket), queued(replace(ticket, restaurant="da-mario")))

    assert open_tickets.of("la-piazza") == [ticket_to_contract(ticket)]
    assert open_tickets.of("nowhere") == []


@pytest.mark.parametrize(
    "commands", [["start", "ready", "serve"], ["start", "ready", "serve", "void"], ["void"]]
)
def test_a_ticket_that_is_settled_leaves_the_queue(commands: list[str]) -> None:
    open_tickets, ticket = OpenTickets(), a_ticket()
    feed(open_tickets, queued(ticket))

    for command in commands:
        event = COMMANDS[command](ticket)
        ticket = event.ticket
        feed(open_tickets, event)

    assert open_tickets.of("la-piazza") == []


def test_a_ticket_stays_when_its_voiding_was_refused() -> None:
    open_tickets, started = OpenTickets(), a_ticket().start(at=NOON)

    feed(open_tickets, started, started.ticket.void(at=NOON))

    assert [ticket.version for ticket in open_tickets.of("la-piazza")] == [3]


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
    open_tickets, ticket = OpenTickets(), a_ticket()

    open_tickets.apply(1, subject, {"ce-type": "comanda.ticket.queued.v1"}, body)
    feed(open_tickets, queued(ticket))

    assert open_tickets.of("la-piazza") == [ticket_to_contract(ticket)]


def test_the_length_is_counted_by_status_over_all_restaurants() -> None:
    open_tickets = OpenTickets()

    feed(
        open_tickets,
        queued(a_ticket()),
        queued(a_ticket(restaurant="da-mario")),
        a_ticket().start(at=NOON),
    )

    assert open_tickets.count(TicketStatus.QUEUED) == 2
    assert open_tickets.count(TicketStatus.PREPARING) == 1


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
    open_tickets = OpenTickets()

    for sequence, sealed in enumerate(stream, start=1):
        apply(open_tickets, sequence, sealed)
        again = data.draw(st.integers(1, sequence))
        apply(open_tickets, again, stream[again - 1])

    assert open_tickets.of("la-piazza") == _still_open(tickets)


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
    whole = resumed = OpenTickets()

    for sequence, sealed in messages.items():
        apply(whole, sequence, sealed)
        if resumed is not whole:
            apply(resumed, sequence, sealed)
        if sequence in marks:
            assert resumed.bookmark() == whole.bookmark()
            resumed = _continued_after(resumed.bookmark(), messages)

    assert resumed.of("la-piazza") == whole.of("la-piazza")
    assert resumed.bookmark() == whole.bookmark()


def _continued_after(bookmark: Bookmark | None, messages: Mapping[int, Message]) -> OpenTickets:
    """The open tickets, made of nothing but the bookmark and the messages that it names."""
    assert bookmark is not None
    open_tickets = OpenTickets()
    for sequence in bookmark.open:
        apply(open_tickets, sequence, messages[sequence])
    open_tickets.continue_after(bookmark)
    return open_tickets


def test_where_the_last_message_has_no_name_there_is_nothing_to_go_on_from() -> None:
    open_tickets = OpenTickets()
    feed(open_tickets, queued(a_ticket()))

    open_tickets.apply(2, "tickets.v1.la-piazza.o.1.queued", {}, b"{}")

    assert open_tickets.bookmark() is None


def _still_open(tickets: list[Ticket]) -> list[object]:
    closed = {"served", "voided", "abandoned"}
    return [ticket_to_contract(ticket) for ticket in tickets if ticket.status not in closed]
