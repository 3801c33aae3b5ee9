"""How many cancellations wait for the kitchen's answer, and how long the oldest has."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from prometheus_client import Gauge
from service_kit.runtime.components import Ready
from sqlalchemy import DateTime, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.outbound.database.tables import CANCELLING, OrderRow, table

CHECK_INTERVAL_S = 5.0
"""Seconds between two looks at the orders."""
READ_ORDERS_MAX = 1000
"""Orders that are looked at, the oldest ones: where more wait, these have waited for long."""

OLDEST = Gauge(
    "comanda_ordering_cancelling_oldest_seconds",
    "Seconds that the oldest cancellation has waited for the kitchen's answer",
)

WAITING = Gauge(
    "comanda_ordering_cancelling_orders",
    "Orders whose cancellation the kitchen has not answered, counted up to 1000",
)

ORDERS = table(OrderRow)
_CANCELLING = (
    select(ORDERS.c.cancellation["requested_at"].astext.label("requested_at"))
    .where(CANCELLING)
    .order_by(ORDERS.c.id)
    .limit(READ_ORDERS_MAX)
    .subquery()
)
SELECT_OLDEST = select(
    func.min(cast(_CANCELLING.c.requested_at, DateTime(timezone=True))), func.count()
)


async def watch_cancellations(
    engine: AsyncEngine, ready: Ready, *, clock: Callable[[], datetime]
) -> None:
    """Measure it from time to time. Raises when PostgreSQL does not answer."""
    while True:
        async with engine.connect() as connection:
            requested_at, waiting = await cancelling(connection)
        WAITING.set(waiting)
        OLDEST.set(max(0.0, (clock() - requested_at).total_seconds()) if requested_at else 0.0)
        ready()
        await asyncio.sleep(CHECK_INTERVAL_S)


async def cancelling(connection: AsyncConnection) -> tuple[datetime | None, int]:
    """When the oldest cancellation was requested that is not answered, and how many are not."""
    requested_at, waiting = (await connection.execute(SELECT_OLDEST)).one()
    return requested_at, waiting
