"""Void a cancelled round's ticket, unless the kitchen has started it."""

import contextlib

from serving.application.change_ticket import ChangeTicket, Clock, NewId, change_ticket
from serving.application.tickets import Tickets
from serving.domain.ticket import Ticket, WrongStatus


async def void_ticket(
    command: ChangeTicket, *, tickets: Tickets, clock: Clock, new_id: NewId
) -> None:
    """Void a ticket that is queued; of one that is begun, record that it can't be voided.

    Safe to repeat: a ticket that is voided stays so. Raises UnknownTicket, StoreUnavailable.
    """
    with contextlib.suppress(WrongStatus):  # it is voided already
        await change_ticket(
            command, "void", Ticket.void, tickets=tickets, clock=clock, new_id=new_id
        )
