"""A simulated kitchen: it polls serving's queue and works off the tickets as they come."""

import asyncio
from uuid import UUID

import httpx
from comanda_contracts import AnyTicketStatus, Ticket, TicketStatus

from comanda_local.api import Api, Move, RefusedRequest
from comanda_local.estimates import EstimateProbe

POLL_INTERVAL_S = 0.03
"""Seconds between two requests for the queue."""
COOKS = 16

REMAINING_MOVES: dict[AnyTicketStatus, tuple[Move, ...]] = {
    TicketStatus.QUEUED: ("start", "ready", "serve"),
    TicketStatus.PREPARING: ("ready", "serve"),
    TicketStatus.READY: ("serve",),
    TicketStatus.SERVED: (),
    TicketStatus.VOIDED: (),
    TicketStatus.ABANDONED: (),
}

Key = tuple[UUID, int]


class SimulatedKitchen:
    """Makes and serves every ticket of a restaurant, whoever ordered it."""

    def __init__(self, api: Api, restaurant: str, estimates: EstimateProbe) -> None:
        self._api = api
        self.estimates = estimates
        self._restaurant = restaurant
        self._cooks = asyncio.Semaphore(COOKS)
        self._in_hand: set[Key] = set()
        self._served: dict[Key, asyncio.Event] = {}
        self._trouble = "it did not come into the queue"

    async def work(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as cooking:
            while True:
                for ticket in await self._queue():
                    key = (ticket.order_id, ticket.round)
                    if key not in self._in_hand:
                        self._in_hand.add(key)
                        cooking.create_task(self._make(key, ticket))
                await asyncio.sleep(POLL_INTERVAL_S)

    async def served(self, order_id: UUID, round_number: int, *, within: float) -> None:
        """Wait until this kitchen served the round. Raises TimeoutError after `within` seconds."""
        key = (order_id, round_number)
        try:
            await asyncio.wait_for(self._event(key).wait(), within)
        except TimeoutError:
            raise TimeoutError(
                f"round {round_number} was not served within {within:.0f} s: {self._trouble}"
            ) from None
        finally:
            self._served.pop(key, None)

    def _event(self, key: Key) -> asyncio.Event:
        return self._served.setdefault(key, asyncio.Event())

    async def _queue(self) -> list[Ticket]:
        try:
            return await self._api.queue(self._restaurant)
        except (RefusedRequest, httpx.TransportError) as error:
            self._trouble = str(error)
            return []

    async def _make(self, key: Key, ticket: Ticket) -> None:
        """Carry a ticket through; what failed is still in the queue, and is taken up again."""
        try:
            async with self._cooks:
                for move in REMAINING_MOVES.get(ticket.status, ()):
                    await self._api.move(ticket, move)
                    self._judge(ticket, move)
        except (RefusedRequest, httpx.TransportError) as error:
            self._trouble = str(error)
            self._in_hand.discard(key)
        else:
            self._event(key).set()

    def _judge(self, ticket: Ticket, move: Move) -> None:
        """Guests order again only after they were served: an order is ready with this round."""
        if move == "start":
            self.estimates.ask("begun", ticket.order_id)
        elif move == "ready":
            self.estimates.ready(ticket.order_id)
