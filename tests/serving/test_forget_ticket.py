"""The guest of a ticket is forgotten once, however often that is heard, also after a crash."""

import pytest
from serving.application.change_ticket import ChangeTicket
from serving.application.forget_ticket import forget_ticket
from serving.application.queue_ticket import QueueTicket, queue_tickets
from serving.domain.ticket import Ticket, TicketForgotten
from uuid_utils.compat import uuid7

from tests.serving.builders import LATER, NOON, a_ticket
from tests.serving.fakes import InMemoryTickets


@pytest.fixture
def tickets() -> InMemoryTickets:
    return InMemoryTickets()


async def forget(
    tickets: InMemoryTickets, ticket: Ticket, *, past: Ticket | None = None, event: str = "one"
) -> list[TicketForgotten]:
    """Hear that its guest is forgotten; returns what was said of that so far."""
    command = ChangeTicket(ticket_id=ticket.id, request_key=f"message/{event}", order_version=3)
    await forget_ticket(command, past, tickets=tickets, clock=lambda: LATER, new_id=uuid7)
    return [each for each in tickets.events if isinstance(each, TicketForgotten)]


async def test_it_is_said_once_of_each_event_that_comes_again(tickets: InMemoryTickets) -> None:
    ticket = a_ticket(customer="Ada")
    await queue_tickets(
        [QueueTicket(ticket, {})], tickets=tickets, clock=lambda: NOON, new_id=uuid7
    )

    once, again = await forget(tickets, ticket), await forget(tickets, ticket)
    another = await forget(tickets, ticket, event="another")

    assert [len(said) for said in (once, again, another)] == [1, 1, 2]
    (said,) = once
    assert (said.ticket.customer, said.ticket.lines[0].note, said.ticket.version) == (None, None, 2)


async def test_one_that_the_store_let_go_of_is_forgotten_as_it_was(
    tickets: InMemoryTickets,
) -> None:
    past = a_ticket(customer="Ada", version=4, status="served")

    once = await forget(tickets, past, past=past)
    again = await forget(tickets, past, past=past)

    assert [each.ticket for each in once] == [past.forget(at=LATER).ticket]
    assert again == once


async def test_one_that_there_never_was_is_not_made(tickets: InMemoryTickets) -> None:
    assert await forget(tickets, a_ticket()) == []
