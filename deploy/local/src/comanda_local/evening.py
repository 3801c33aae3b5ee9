"""An evening at the restaurant: guests order, the kitchen cooks, and it is measured."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

import httpx
from comanda_contracts import Channel, Order

from comanda_local.api import Api, RefusedRequest
from comanda_local.estimates import EstimateProbe, JudgedEstimate, Stage
from comanda_local.simulated_kitchen import SimulatedKitchen
from comanda_local.visits import Visit

RETRY_INTERVAL_S = 0.05
"""Seconds between two attempts at what another service does not know of yet."""
GUEST_PATIENCE_S = 60.0
"""Seconds that a guest waits for a view, for food, or for the bill."""


@dataclass(slots=True)
class Tally:
    """What happened so far."""

    placed: int = 0
    rounds: int = 0
    served: int = 0
    over: int = 0
    failures: list[str] = field(default_factory=list)
    """A line for each visit that went wrong."""
    lags: list[float] = field(default_factory=list)
    """Per order, seconds from ordering's answer until query shows the order."""
    estimates: dict[Stage, list[JudgedEstimate]] = field(default_factory=dict)
    """Of when orders would be ready: made when they were placed, and when they were begun."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Evening:
    """How an evening goes: where, how many guests at once, how many orders a second at most."""

    api: Api
    restaurant: str
    at_once: int
    rate: float | None = None
    watch: Callable[[Tally], None] = lambda _: None

    async def run(self, visits: Iterable[Visit]) -> Tally:
        """Carry every visit through. A failed one is noted in the tally; the others go on."""
        tally = Tally()
        began = time.perf_counter()
        async with asyncio.TaskGroup() as house:
            estimates = EstimateProbe(self.api, self.restaurant, house)
            kitchen = SimulatedKitchen(self.api, self.restaurant, estimates)
            work = house.create_task(kitchen.work())
            await self._seat_guests(visits, kitchen, tally)
            work.cancel()
        tally.estimates = estimates.judged
        tally.seconds = time.perf_counter() - began
        return tally

    async def _seat_guests(
        self, visits: Iterable[Visit], kitchen: SimulatedKitchen, tally: Tally
    ) -> None:
        seats = asyncio.Semaphore(self.at_once)
        async with asyncio.TaskGroup() as guests:
            async for visit in _paced(visits, self.rate):
                await seats.acquire()
                guest = guests.create_task(self._visit(visit, kitchen, tally))
                guest.add_done_callback(lambda _: seats.release())

    async def _visit(self, visit: Visit, kitchen: SimulatedKitchen, tally: Tally) -> None:
        try:
            await self._carry_through(visit, kitchen, tally)
            tally.over += 1
        except (RefusedRequest, httpx.TransportError, TimeoutError) as error:
            tally.failures.append(f"{visit.label}: {str(error) or type(error).__name__}")
        self.watch(tally)

    async def _carry_through(self, visit: Visit, kitchen: SimulatedKitchen, tally: Tally) -> None:
        order = await self.api.place(self.restaurant, visit.order)
        tally.placed += 1
        tally.lags.append(await self._lag(order))
        kitchen.estimates.ask("placed", order.order_id)
        await self._eat(order, kitchen, tally)
        for lines in visit.further_rounds:
            order = await self.api.add_round(order, lines)
            await self._eat(order, kitchen, tally)
        if order.channel is Channel.DINE_IN:
            await self._close(order)

    async def _eat(self, order: Order, kitchen: SimulatedKitchen, tally: Tally) -> None:
        """Wait until the newest round is served."""
        tally.rounds += 1
        self.watch(tally)
        await kitchen.served(order.order_id, order.rounds[-1].round, within=GUEST_PATIENCE_S)
        tally.served += 1
        self.watch(tally)

    async def _lag(self, order: Order) -> float:
        """Seconds until query shows the order that was just answered for."""
        answered = time.perf_counter()
        while not await self._is_shown(order):
            if time.perf_counter() - answered > GUEST_PATIENCE_S:
                raise TimeoutError(
                    f"query did not show {order.number} within {GUEST_PATIENCE_S:.0f} s"
                )
            await asyncio.sleep(RETRY_INTERVAL_S)
        return time.perf_counter() - answered

    async def _is_shown(self, order: Order) -> bool:
        try:
            view = await self.api.order_view(
                order.restaurant, order.order_id, min_version=order.version
            )
        except RefusedRequest as refusal:
            if refusal.status == httpx.codes.SERVICE_UNAVAILABLE:
                return False
            raise
        return view is not None

    async def _close(self, order: Order) -> None:
        """Close it as soon as ordering has heard that everything was served."""
        deadline = time.monotonic() + GUEST_PATIENCE_S
        while True:
            try:
                await self.api.close(order)
            except RefusedRequest as refusal:
                if refusal.code != "still-in-the-kitchen" or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(RETRY_INTERVAL_S)
            else:
                return


async def _paced(visits: Iterable[Visit], rate: float | None) -> AsyncIterator[Visit]:
    """The visits one by one, no more than `rate` a second."""
    began = time.perf_counter()
    for number, visit in enumerate(visits):
        if rate is not None:
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        yield visit
