"""Auditing a running system once it is quiet."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from comanda_local.api import Api
from comanda_local.audit.comparison import Difference, compare
from comanda_local.audit.sources import OrderIdsSoFar, TicketsSoFar, WriteSide, views

MOMENT = 0.3
"""Seconds between two looks at what differs."""
AT_A_TIME = 500
"""Orders that are looked at together."""
PATIENCE = 45.0
"""Seconds in which the sides must have become equal: more than a redelivery takes."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What an audit found: how many orders it compared, and where they differ."""

    orders: int
    differences: tuple[Difference, ...]


async def audit(
    restaurant: str, writing: WriteSide, query: Api, *, patience: float = PATIENCE
) -> Findings:
    """Compare every order of a restaurant that any side has.

    What differs is looked at again until it is equal, for `patience` seconds at most: what is on
    its way is no difference.
    """
    look = _Look(
        restaurant,
        writing,
        query,
        await writing.follow_tickets(restaurant),
        await writing.follow_order_ids(restaurant),
    )
    deadline = time.monotonic() + patience
    everything = await look.for_orders()
    found = await look.at(everything)
    while found and time.monotonic() < deadline:
        await asyncio.sleep(MOMENT)
        found = await look.at({difference.order_id for difference in found})
    return Findings(len(everything), tuple(found))


@dataclass(frozen=True, slots=True)
class _Look:
    restaurant: str
    writing: WriteSide
    query: Api
    tickets: TicketsSoFar
    published: OrderIdsSoFar

    async def for_orders(self) -> set[UUID]:
        """The ids of the orders that any side has."""
        stored = await self.writing.order_ids(self.restaurant)
        views = self.query.order_views(self.restaurant)
        listed = {UUID(view["order_id"]) async for view in views}
        await self.published.catch_up()
        await self.tickets.catch_up()
        return stored | listed | self.published.ids | self.tickets.by_order.keys()

    async def at(self, order_ids: Iterable[UUID]) -> list[Difference]:
        """Compare these orders, some at a time: the views of many are a lot of memory."""
        ordered, found = sorted(order_ids), list[Difference]()
        for start in range(0, len(ordered), AT_A_TIME):
            found += await self._at_some(ordered[start : start + AT_A_TIME])
        return found

    async def _at_some(self, order_ids: list[UUID]) -> list[Difference]:
        orders = await self.writing.orders(self.restaurant, order_ids)
        await self.tickets.catch_up()
        shown = await views(self.query, self.restaurant, order_ids)
        return [
            difference
            for order_id in order_ids
            for difference in compare(
                order_id,
                orders.get(order_id),
                self.tickets.by_order.get(order_id, {}),
                shown[order_id],
            )
        ]
