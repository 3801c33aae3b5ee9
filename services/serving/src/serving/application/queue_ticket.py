"""Queue a ticket for each round that was ordered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serving.application.change_ticket import Clock, NewId
from serving.application.tickets import (
    NewTicket,
    OrderedTooLongAgo,
    StoreUnavailable,
    Tickets,
    TicketTooLarge,
)
from serving.domain.ticket import Ticket, TicketQueued


@dataclass(frozen=True, slots=True)
class QueueTicket:
    """A new ticket to be queued. `trace` holds the trace context headers of its cause."""

    ticket: Ticket
    trace: Mapping[str, str]


# decision/0068: what may be forgotten is not queued again
async def queue_tickets(
    commands: Sequence[QueueTicket], *, tickets: Tickets, clock: Clock, new_id: NewId
) -> list[StoreUnavailable | TicketTooLarge | OrderedTooLongAgo | None]:
    """Queue many tickets at once. Safe to repeat: a round that has a ticket gets no other.

    Nor does a round that was ordered so long ago that its ticket may be forgotten: it was made, or
    is open and known. Returns, in the order of `commands`, None for each ticket that is stored
    now, or why it is not. Raises StoreUnavailable if nothing is known of the store.
    """
    if not commands:
        return []
    at = clock()
    horizon = await tickets.horizon(at)
    is_new = [horizon is None or each.ticket.ordered_at >= horizon for each in commands]
    outcomes = iter(
        await tickets.add(
            [
                NewTicket(TicketQueued(ticket=command.ticket, at=at), new_id(), command.trace)
                for command, new in zip(commands, is_new, strict=True)
                if new
            ]
        )
    )
    return [next(outcomes) if new else OrderedTooLongAgo() for new in is_new]
