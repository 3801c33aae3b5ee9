"""A cook begins to make a round."""

from serving.application.change_ticket import (
    ChangedTicket,
    ChangeTicket,
    Clock,
    NewId,
    change_ticket,
)
from serving.application.tickets import Tickets
from serving.domain.ticket import Ticket


async def start_ticket(
    command: ChangeTicket, *, tickets: Tickets, clock: Clock, new_id: NewId
) -> ChangedTicket:
    """Start a ticket that is queued; of two cooks one wins and the other is refused.

    Raises UnknownTicket, VersionMismatch, WrongStatus, StoreUnavailable.
    """
    return await change_ticket(
        command, "start", Ticket.start, tickets=tickets, clock=clock, new_id=new_id
    )
