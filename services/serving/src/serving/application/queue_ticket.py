"""Queue a ticket for each round that was ordered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serving.application.change_ticket import Clock, NewId
from serving.application.tickets import NewTicket, StoreUnavailable, Tickets, TicketTooLarge
from serving.domain.ticket import Ticket, TicketQueued


@dataclass(frozen=True, slots=True)
class QueueTicket:
    """A new ticket to be queued. `trace` holds the trace context headers of its cause."""

    ticket: Ticket
    trace: Mapping[str, str]


async def queue_tickets(
    commands: Sequence[QueueTicket], *, tickets: Tickets, clock: Clock, new_id: NewId
) -> list[StoreUnavailable | TicketTooLarge | None]:
    """Queue many tickets at once. Safe to repeat: a round that has a ticket gets no other.

    Returns, in the order of `commands`, None for each ticket that is stored now.
    """
    at = clock()
    return await tickets.add(
        [
            NewTicket(TicketQueued(ticket=command.ticket, at=at), new_id(), command.trace)
            for command in commands
        ]
    )
