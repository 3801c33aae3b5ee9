"""The port of the store that keeps the tickets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from serving.application.keyed_request import KeyedRequest
from serving.domain.ticket import Ticket, TicketEvent, TicketId


class Overtaken(Exception):
    """Another change of the ticket was stored first."""


class StoreUnavailable(Exception):
    """The store can't be reached, or did not answer: a change may or may not have been stored."""


class TicketTooLarge(Exception):
    """The store takes no ticket of that size, however often it is tried."""


class OrderedTooLongAgo(Exception):
    """The round's ticket may have been served and forgotten, so it is not queued."""


@dataclass(frozen=True, slots=True)
class StoredTicket:
    """A ticket as an event left it.

    `event_id` and `sequence` are the event's; `after` is the sequence of the ticket's event before
    it, 0 if there was none; `request` is the request that led to it, if that carried a key.
    """

    ticket: Ticket
    event_id: UUID
    sequence: int
    after: int = 0
    request: KeyedRequest | None = None


@dataclass(frozen=True, slots=True)
class NewTicket:
    """The first event of a ticket. `trace` holds the trace context headers of its cause."""

    event: TicketEvent
    event_id: UUID
    trace: Mapping[str, str] = field(default_factory=dict)


class Tickets(Protocol):
    """Keeps every ticket as its events, the last of which is the ticket."""

    async def load(self, ticket_id: TicketId) -> StoredTicket | None:
        """The ticket as it is now; None if there is none. Raises StoreUnavailable."""
        ...

    async def before(self, stored: StoredTicket) -> StoredTicket | None:
        """The ticket as it was before `stored`; None if it was new, or is no longer stored.

        Raises StoreUnavailable.
        """
        ...

    async def append(
        self, event: TicketEvent, *, event_id: UUID, after: int, request: KeyedRequest | None = None
    ) -> None:
        """Store an event that was decided on the ticket as it was at sequence `after`.

        Safe to repeat with the same `event_id`. Raises Overtaken if the ticket has changed since
        then, StoreUnavailable, TicketTooLarge.
        """
        ...

    async def horizon(self, at: datetime) -> datetime | None:
        """Of a round ordered before this the store may know no more whether it had a ticket.

        None if it forgets nothing. Raises StoreUnavailable.
        """
        ...

    async def add(self, new: Sequence[NewTicket]) -> list[StoreUnavailable | TicketTooLarge | None]:
        """Store new tickets, each unless there is that ticket already.

        Returns, in the order of `new`, None for each ticket that is there now, or what went wrong.
        Raises StoreUnavailable if none of them could be sent to the store.
        """
        ...
