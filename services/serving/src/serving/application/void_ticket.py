"""Void a cancelled round's ticket, unless the kitchen has started it."""

from datetime import datetime

from serving.application.change_ticket import ChangeTicket, Clock, NewId, change_ticket
from serving.application.tickets import Tickets
from serving.domain.ticket import Sender, Ticket, TicketEvent


async def void_ticket(
    command: ChangeTicket, *, tickets: Tickets, clock: Clock, new_id: NewId
) -> None:
    """Void a ticket that is queued; of one that is begun, record that it can't be voided.

    Safe to repeat: a request has one effect, and a ticket that is voided stays so; another request
    is answered again. Raises UnknownTicket, CancellationOver, StoreUnavailable.
    """

    def decide(
        ticket: Ticket, /, *, at: datetime, actor: str | None, by: Sender | None
    ) -> TicketEvent:
        if command.order_version is not None:
            ticket.require_cancellation(command.order_version)
        return ticket.void(at=at, actor=actor, by=by)

    await change_ticket(command, "void", decide, tickets=tickets, clock=clock, new_id=new_id)
