"""Void a cancelled round's ticket, unless the kitchen has started it."""

from serving.application.change_ticket import ChangeTicket, Clock, NewId, change_ticket
from serving.application.tickets import Tickets
from serving.domain.ticket import Ticket


async def void_ticket(
    command: ChangeTicket, *, tickets: Tickets, clock: Clock, new_id: NewId
) -> None:
    """Void a ticket that is queued; of one that is begun, record that it can't be voided.

    Safe to repeat: a request has one effect, and a ticket that is voided stays so; another request
    is answered again. Raises UnknownTicket, StoreUnavailable.
    """
    await change_ticket(command, "void", Ticket.void, tickets=tickets, clock=clock, new_id=new_id)
