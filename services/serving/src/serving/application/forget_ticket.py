"""Forget the guest of a ticket."""

from serving.application.change_ticket import ChangeTicket, Clock, NewId, change_ticket
from serving.application.keyed_request import KeyedRequest
from serving.application.tickets import Overtaken, StoreUnavailable, Tickets
from serving.domain.ticket import Ticket, TicketEvent, UnknownTicket

VERB = "forget"


# decision/0077: a guest is forgotten
async def forget_ticket(
    command: ChangeTicket, past: Ticket | None, *, tickets: Tickets, clock: Clock, new_id: NewId
) -> None:
    """Take out of a ticket what names its guest. Safe to repeat: a request has one effect.

    `past` is the ticket as it was when the store let go of it, if it did. One that there never was
    stays unknown. Raises StoreUnavailable.
    """
    try:
        await change_ticket(
            command, VERB, Ticket.forget, tickets=tickets, clock=clock, new_id=new_id
        )
    except UnknownTicket:
        if past is not None:
            event = past.forget(at=clock(), actor=command.actor, by=command.by)
            await _append(event, command, tickets, new_id)


async def _append(
    event: TicketEvent, command: ChangeTicket, tickets: Tickets, new_id: NewId
) -> None:
    request = command.request_key and KeyedRequest.of(
        command.request_key, VERB, command.expected_version, command.order_version
    )
    try:
        await tickets.append(event, event_id=new_id(), after=0, request=request or None)
    except Overtaken as error:
        raise StoreUnavailable("another change of the ticket came first") from error
