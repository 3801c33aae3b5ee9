"""Void a cancelled round's ticket, unless the kitchen has started it."""

from datetime import datetime

from serving.application.change_ticket import (
    ChangeTicket,
    Clock,
    Decision,
    NewId,
    change_ticket,
)
from serving.application.tickets import Tickets
from serving.domain.ticket import Sender, Ticket, TicketEvent


async def void_ticket(
    command: ChangeTicket, *, tickets: Tickets, clock: Clock, new_id: NewId
) -> None:
    """Void a ticket that is queued; of one that is begun, record that it can't be voided.

    Safe to repeat: a request has one effect, and a ticket that is voided stays so; another request
    is answered again. Raises UnknownTicket, CancellationOver, StoreUnavailable.
    """
    decide = while_asked_for(command, Ticket.void)
    await change_ticket(command, "void", decide, tickets=tickets, clock=clock, new_id=new_id)


def while_asked_for(command: ChangeTicket, decide: Decision) -> Decision:
    """What is decided as long as the cancellation that is asked for is not over."""

    def decide_then(
        ticket: Ticket, /, *, at: datetime, actor: str | None, by: Sender | None
    ) -> TicketEvent:
        if command.order_version is not None:
            ticket.require_cancellation(command.order_version)
        return decide(ticket, at=at, actor=actor, by=by)

    return decide_then
