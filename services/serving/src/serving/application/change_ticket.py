"""The one way to change a ticket: load, decide, store, and again if another change came first."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from serving.application.keyed_request import KeyedRequest, KeyReused
from serving.application.tickets import Overtaken, StoredTicket, StoreUnavailable, Tickets
from serving.domain.ticket import (
    ExpectedVersion,
    Sender,
    Ticket,
    TicketEvent,
    TicketId,
    UnknownTicket,
)

RETRY_PAUSES_S = (0.0, 0.01, 0.03, 0.1, 0.3)
"""Seconds before each attempt.

In a cluster the change that won a race may still be on its way into the store; the second attempt
nearly always sees it, and ends the race with a refusal.
"""

FIRST_VERSION = 1
"""The version of a ticket that is just queued, which no request with a key leads to."""

Clock = Callable[[], datetime]
"""The time in UTC, to the millisecond."""

NewId = Callable[[], UUID]
"""A fresh UUIDv7."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTicket:
    """A request to change a ticket.

    `expected_version` of None stands for any. A request that is repeated with its `request_key`
    has one effect, whatever has happened to the ticket since; a key is the ticket's own.
    `order_version` is that of the order's event which the request came of, if it came of one.
    """

    ticket_id: TicketId
    actor: str | None = None
    by: Sender | None = None
    expected_version: ExpectedVersion = None
    request_key: str | None = None
    order_version: int | None = None


@dataclass(frozen=True, slots=True)
class ChangedTicket:
    """A ticket as a request left it; `is_repeated` if the request was carried out before."""

    ticket: Ticket
    is_repeated: bool = field(default=False, compare=False)


class Decision(Protocol):
    """Decides what happens to a ticket. Raises Refusal."""

    def __call__(
        self, ticket: Ticket, /, *, at: datetime, actor: str | None, by: Sender | None
    ) -> TicketEvent:
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
) -> ChangedTicket:
    """Change the ticket as `decide` says and return it as it is then.

    Of two changes that were decided on the same version one wins; the other is decided anew.
    A request that was carried out before returns the ticket as it was then. `verb` tells it apart
    from another request with the same key. Raises UnknownTicket, VersionMismatch, KeyReused,
    StoreUnavailable and what `decide` raises.
    """
    request = _keyed(command, verb)
    for pause in RETRY_PAUSES_S:
        await asyncio.sleep(pause)
        stored = await tickets.load(command.ticket_id)
        if stored is None:
            raise UnknownTicket(command.ticket_id)
        if request and (result := await _earlier_result(request, stored, tickets)):
            return ChangedTicket(result, is_repeated=True)
        stored.ticket.expect(command.expected_version)
        event = decide(stored.ticket, at=clock(), actor=command.actor, by=command.by)
        with contextlib.suppress(Overtaken):
            await tickets.append(event, event_id=new_id(), after=stored.sequence, request=request)
            return ChangedTicket(event.ticket)
    raise StoreUnavailable("other changes of the ticket kept coming first")


def _keyed(command: ChangeTicket, verb: str) -> KeyedRequest | None:
    if not command.request_key:
        return None
    return KeyedRequest.of(
        command.request_key, verb, command.expected_version, command.order_version
    )


# decision/0044: a refused request is decided anew
async def _earlier_result(
    request: KeyedRequest, last: StoredTicket, tickets: Tickets
) -> Ticket | None:
    """The ticket as the request left it; None if the request was not carried out before.

    Searches from the ticket's last event back to its first. Raises KeyReused, StoreUnavailable.
    """
    stored: StoredTicket | None = last
    while stored:
        if stored.request and stored.request.name == request.name:
            if stored.request != request:
                raise KeyReused
            return stored.ticket
        may_have_earlier = stored.ticket.version > FIRST_VERSION + 1
        stored = await tickets.before(stored) if may_have_earlier else None
    return None
