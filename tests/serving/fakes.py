"""The store of tickets in memory: keeps the promises of the real one, as the same tests show."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from serving.application.tickets import NewTicket, Overtaken, Stored, Unavailable
from serving.domain.ticket import TicketEvent, TicketId


class InMemoryTickets:
    """`Tickets` for one process and one test."""

    def __init__(self) -> None:
        self.events: list[TicketEvent] = []
        self._last: dict[TicketId, Stored] = {}

    async def load(self, ticket_id: TicketId) -> Stored | None:
        await asyncio.sleep(0)  # as over a network, others get their turn
        return self._last.get(ticket_id)

    async def append(self, event: TicketEvent, *, event_id: UUID, after: int) -> None:
        await asyncio.sleep(0)
        last = self._last.get(event.ticket.id)
        if last is not None and last.event_id == event_id:
            return
        if after != (last.sequence if last else 0):
            raise Overtaken
        self.events.append(event)
        self._last[event.ticket.id] = Stored(event.ticket, event_id, len(self.events))

    async def add(self, new: Sequence[NewTicket]) -> list[Unavailable | None]:
        for each in new:
            if each.event.ticket.id not in self._last:
                await self.append(each.event, event_id=each.event_id, after=0)
        return [None for _ in new]
