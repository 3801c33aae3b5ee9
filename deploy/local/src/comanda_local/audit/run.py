"""Auditing a running system once it is quiet."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from comanda_local.api import Api
from comanda_local.audit.comparison import Difference, compare
from comanda_local.audit.sources import PublishedOrderIds, TicketStates, WriteSide, views

RECHECK_INTERVAL_S = 0.3
"""Seconds between two comparisons of the orders that differ."""
BATCH_ORDERS = 500
"""Orders that are compared together."""
CONVERGENCE_TIMEOUT_S = 45.0
"""Seconds within which both sides must become equal: more than a redelivery takes."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of an audit: the number of orders compared, and their differences."""

    orders: int
    differences: tuple[Difference, ...]


async def audit(
    restaurant: str, writing: WriteSide, query: Api, *, patience: float = CONVERGENCE_TIMEOUT_S
) -> Findings:
    """Compare every order of a restaurant that any side has.

    Orders that differ are compared again until they are equal, for `patience` seconds at most: an
    event that is on its way makes no difference.
    """
    comparer = _Comparer(
        restaurant,
        writing,
        query,
        await writing.follow_tickets(restaurant),
        await writing.follow_order_ids(restaurant),
    )
    deadline = time.monotonic() + patience
    everything = await comparer.order_ids()
    found = await comparer.compare(everything)
    while found and time.monotonic() < deadline:
        await asyncio.sleep(RECHECK_INTERVAL_S)
        found = await comparer.compare({difference.order_id for difference in found})
    return Findings(len(everything), tuple(found))


@dataclass(frozen=True, slots=True)
class _Comparer:
    restaurant: str
    writing: WriteSide
    query: Api
    tickets: TicketStates
    published: PublishedOrderIds

    async def order_ids(self) -> set[UUID]:
        """The ids of the orders that any side has."""
        stored = await self.writing.order_ids(self.restaurant)
        views = self.query.order_views(self.restaurant)
        listed = {UUID(view["order_id"]) async for view in views}
        await self.published.catch_up()
        await self.tickets.catch_up()
        return stored | listed | self.published.ids | self.tickets.by_order.keys()

    async def compare(self, order_ids: Iterable[UUID]) -> list[Difference]:
        """Compare these orders, some at a time: the views of many are a lot of memory."""
        ordered, found = sorted(order_ids), list[Difference]()
        for start in range(0, len(ordered), BATCH_ORDERS):
            found += await self._compare_batch(ordered[start : start + BATCH_ORDERS])
        return found

    async def _compare_batch(self, order_ids: list[UUID]) -> list[Difference]:
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
