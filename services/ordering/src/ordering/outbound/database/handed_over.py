"""The takeaway orders that were handed over, and are due to be closed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from service_kit.runtime.components import Ready
from sqlalchemy import DateTime, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.domain.order import RECALL_MARGIN
from ordering.outbound.database.steps import failures_of
from ordering.outbound.database.tables import HANDED_OVER, OrderRow, table

POLL_INTERVAL_S = 1.0
"""Seconds between two looks."""
CLOSED_ORDERS_MAX = 200
"""Orders that are closed between two looks, those that were handed over first."""

ORDERS = table(OrderRow)
SELECT_DUE = (
    select(ORDERS.c.restaurant, ORDERS.c.id)
    .where(
        HANDED_OVER, ORDERS.c.handed_over_at <= bindparam("until", type_=DateTime(timezone=True))
    )
    .order_by(ORDERS.c.handed_over_at)
    .limit(CLOSED_ORDERS_MAX)
)

Close = Callable[[str, UUID], Awaitable[object]]
"""Closes the order of a restaurant if it still is to be closed."""


async def watch_handed_over(
    engine: AsyncEngine,
    ready: Ready,
    *,
    close: Close,
    heard_until: Callable[[], datetime | None],
    recall_grace: timedelta,
) -> None:
    """Have orders closed from time to time, once the kitchen can take nothing back any more.

    All words of the kitchen that were stored before `heard_until` were taken; while that is not
    known no order is closed. One that was handed over a grace before that, or earlier, was not
    recalled. Safe to run from many replicas. Raises when the store does not answer.
    """
    while True:
        if heard := heard_until():
            async with engine.connect() as connection:
                due = await select_due(connection, until=heard - recall_grace - RECALL_MARGIN)
            if failures := await failures_of(close(*each) for each in due):
                raise failures[0]
        ready()
        await asyncio.sleep(POLL_INTERVAL_S)


async def select_due(connection: AsyncConnection, *, until: datetime) -> Sequence[tuple[str, UUID]]:
    """Restaurant and id of the orders that were handed over by then, the first ones first."""
    found = await connection.execute(SELECT_DUE, {"until": until})
    return [(row.restaurant, row.id) for row in found]
