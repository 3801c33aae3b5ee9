"""A round reaches the guest."""

from serving.application.change_ticket import (
    ChangedTicket,
    ChangeTicket,
    Clock,
    NewId,
    change_ticket,
)
from serving.application.tickets import Tickets
from serving.domain.ticket import Ticket


async def serve_ticket(
    command: ChangeTicket, *, tickets: Tickets, clock: Clock, new_id: NewId
) -> ChangedTicket:
    """Serve a ticket that is ready.

    Raises UnknownTicket, VersionMismatch, WrongStatus, StoreUnavailable.
    """
    return await change_ticket(
        command, "serve", Ticket.serve, tickets=tickets, clock=clock, new_id=new_id
    )
