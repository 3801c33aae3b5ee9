"""A round goes back from the pass to the kitchen."""

from serving.application.change_ticket import (
    ChangedTicket,
    ChangeTicket,
    Clock,
    NewId,
    change_ticket,
)
from serving.application.tickets import Tickets
from serving.domain.ticket import Ticket


async def recall_ticket(
    command: ChangeTicket, *, tickets: Tickets, clock: Clock, new_id: NewId
) -> ChangedTicket:
    """Recall a ticket that is ready.

    Raises UnknownTicket, VersionMismatch, WrongStatus, StoreUnavailable.
    """
    return await change_ticket(
        command, "recall", Ticket.recall, tickets=tickets, clock=clock, new_id=new_id
    )
