"""The one way to change a ticket: look, decide, store, and look again if somebody was faster."""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from serving.application.tickets import Overtaken, Tickets, Unavailable
from serving.domain.ticket import Ticket, TicketEvent, TicketId, UnknownTicket

PAUSES = (0.0, 0.01, 0.03, 0.1, 0.3)
"""Seconds before each look at the ticket.

In a cluster the change that won a race may still be on its way into the store; the second look
nearly always sees it, and ends the race with a refusal.
"""

REQUEST_BITS = (1 << 62) - 1
"""The last 62 bits of a UUIDv7: random, unless they name the request."""

Clock = Callable[[], datetime]
"""The time in UTC, to the millisecond."""

NewId = Callable[[], UUID]
"""A fresh UUIDv7."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTicket:
    """Somebody wants a ticket changed.

    `expected_version` of None stands for any. A request that is repeated with its `request_key`
    has one effect.
    """

    ticket_id: TicketId
    actor: str | None = None
    expected_version: int | None = None
    request_key: str | None = None


class Decision(Protocol):
    """Decides what happens to a ticket. Raises Refusal."""

    def __call__(self, ticket: Ticket, /, *, at: datetime, actor: str | None) -> TicketEvent:
        """Return the event, with the whole ticket after it."""
        ...


async def change_ticket(
    command: ChangeTicket,
    verb: str,
    decide: Decision,
    *,
    tickets: Tickets,
    clock: Clock,
    new_id: NewId,
) -> Ticket:
    """Change the ticket as `decide` says and return it as it is then.

    Of two changes that were decided on the same version one wins; the other is decided anew.
    `verb` tells the commands apart that share a request key. Raises UnknownTicket,
    VersionMismatch, Unavailable and what `decide` raises.
    """
    request = _request_bits(verb, command)
    for pause in PAUSES:
        await asyncio.sleep(pause)
        stored = await tickets.load(command.ticket_id)
        if stored is None:
            raise UnknownTicket(command.ticket_id)
        if request is not None and stored.event_id.int & REQUEST_BITS == request:
            return stored.ticket
        stored.ticket.expect(command.expected_version)
        event = decide(stored.ticket, at=clock(), actor=command.actor)
        with contextlib.suppress(Overtaken):
            await tickets.append(event, event_id=_named(new_id(), request), after=stored.sequence)
            return event.ticket
    raise Unavailable("other changes of the ticket kept coming first")


def _request_bits(verb: str, command: ChangeTicket) -> int | None:
    """The request's name; the ticket is in it, for one cancellation asks for many tickets."""
    if command.request_key is None:
        return None
    about = command.ticket_id
    name = f"{verb} {about.restaurant} {about.order_id} {about.round} {command.request_key}"
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) & REQUEST_BITS


def _named(event_id: UUID, request: int | None) -> UUID:
    """The event's id with the request's name in it, so that the stored event tells whose it is."""
    if request is None:
        return event_id
    return UUID(int=event_id.int & ~REQUEST_BITS | request)
