"""The store of tickets in memory: keeps the promises of the real one, as the same tests show."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from serving.application.keyed_request import KeyedRequest
from serving.application.tickets import (
    NewTicket,
    Overtaken,
    StoredTicket,
    StoreUnavailable,
    TicketTooLarge,
)
from serving.domain.ticket import TicketEvent, TicketId


class InMemoryTickets:
    """`Tickets` for one process and one test."""

    def __init__(self) -> None:
        self.events: list[TicketEvent] = []
        self.hot_window: timedelta | None = None
        self._stored: dict[TicketId, list[StoredTicket]] = {}

    async def load(self, ticket_id: TicketId) -> StoredTicket | None:
        await asyncio.sleep(0)  # as over a network, others get their turn
        return self._last(ticket_id)

    async def before(self, stored: StoredTicket) -> StoredTicket | None:
        await asyncio.sleep(0)
        history = self._stored[stored.ticket.id]
        return next((each for each in history if each.sequence == stored.after), None)

    async def append(
        self, event: TicketEvent, *, event_id: UUID, after: int, request: KeyedRequest | None = None
    ) -> None:
        await asyncio.sleep(0)
        last = self._last(event.ticket.id)
        if last is not None and last.event_id == event_id:
            return
        if after != (last.sequence if last else 0):
            raise Overtaken
        self.events.append(event)
        stored = StoredTicket(event.ticket, event_id, len(self.events), after, request)
        self._stored.setdefault(event.ticket.id, []).append(stored)

    async def horizon(self, at: datetime) -> datetime | None:
        await asyncio.sleep(0)
        return at - self.hot_window if self.hot_window else None

    async def add(self, new: Sequence[NewTicket]) -> list[StoreUnavailable | TicketTooLarge | None]:
        for each in new:
            if self._last(each.event.ticket.id) is None:
                await self.append(each.event, event_id=each.event_id, after=0)
        return [None for _ in new]

    def lose_all(self) -> None:
        """Be empty, as a stream that was wiped."""
        self.events.clear()
        self._stored.clear()

    def _last(self, ticket_id: TicketId) -> StoredTicket | None:
        history = self._stored.get(ticket_id)
        return history[-1] if history else None
