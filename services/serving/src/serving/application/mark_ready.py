"""A round waits on the pass."""

from serving.application.change_ticket import (
    ChangedTicket,
    ChangeTicket,
    Clock,
    NewId,
    change_ticket,
)
from serving.application.tickets import Tickets
from serving.domain.ticket import Ticket


async def mark_ready(
    command: ChangeTicket, *, tickets: Tickets, clock: Clock, new_id: NewId
) -> ChangedTicket:
    """Mark a ticket ready that is being prepared, or still queued.

    Raises UnknownTicket, VersionMismatch, WrongStatus, StoreUnavailable.
    """
    return await change_ticket(
        command, "ready", Ticket.ready, tickets=tickets, clock=clock, new_id=new_id
    )
