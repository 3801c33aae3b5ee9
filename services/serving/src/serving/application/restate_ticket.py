"""Say a ticket again, and make one that the stream has lost."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime

from serving.application.change_ticket import RETRY_PAUSES_S, Clock, NewId
from serving.application.tickets import Overtaken, StoredTicket, StoreUnavailable, Tickets
from serving.domain.ticket import Ticket, TicketStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RestateTicket:
    """Have the ticket at this `version`, or a later one.

    `ticket` is as a new one would be; `known` is its status as far as ordering knows, at
    `order_version`; `is_cancelling` tells that the kitchen is asked for its cancellation there.
    """

    ticket: Ticket
    known: TicketStatus
    version: int
    order_version: int
    is_cancelling: bool = False
    said_at: datetime | None = None
    """When ordering said so, if that is known."""


# decision/0066: a loss of streams is made good by restatements
async def restate_ticket(
    command: RestateTicket, *, tickets: Tickets, clock: Clock, new_id: NewId
) -> None:
    """Say the ticket again, as it is stored or else as ordering knows it.

    Safe to repeat, late or in any order: at this version or above nothing is said. One that is
    settled is made, too, where it is missing: so no older message can have it queued. One that an
    old cancellation voided, which came again as the kitchen had lost its refusal, is queued. What
    was said so long ago that what came of it may be forgotten is not made again. Raises
    StoreUnavailable, TicketTooLarge.
    """
    for pause in RETRY_PAUSES_S:
        await asyncio.sleep(pause)
        stored = await tickets.load(command.ticket.id)
        if stored and stored.ticket.version >= command.version:
            return
        if stored is None and await _is_forgotten(command, tickets, clock):
            return
        ticket = stored.ticket if stored and not _is_wrongly_voided(stored, command) else None
        event = (ticket or command.ticket).restate(
            command.known, version=command.version, at=clock()
        )
        with contextlib.suppress(Overtaken):
            await tickets.append(event, event_id=new_id(), after=stored.sequence if stored else 0)
            return
    raise StoreUnavailable("other changes of the ticket kept coming first")


def _is_wrongly_voided(stored: StoredTicket, command: RestateTicket) -> bool:
    """Whether it is voided by a cancellation that ordering knew to be over, and without effect.

    Any later one than what is restated may be right.
    """
    if stored.ticket.status is not TicketStatus.VOIDED or command.known is not TicketStatus.QUEUED:
        return False
    asked_at = stored.request.order_version if stored.request else None
    return not command.is_cancelling and asked_at is not None and asked_at < command.order_version


async def _is_forgotten(command: RestateTicket, tickets: Tickets, clock: Clock) -> bool:
    horizon = await tickets.horizon(clock())
    if horizon is None or command.said_at is None:
        return False
    return command.said_at < horizon
