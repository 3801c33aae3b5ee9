"""How many events wait to be published, and how long the oldest has: what is late is told."""

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime

from comanda_contracts import subjects
from comanda_contracts.streams import ORDERS
from prometheus_client import Gauge
from service_kit.runtime.components import Ready
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.outbound.outbox.outbox import KINDS, count_unpublished, oldest_headers
from ordering.outbound.outbox.parked_events import count_parked

CHECK_INTERVAL_S = 2.0
"""Seconds between two looks at the outbox."""

OF_ORDERS = (subjects.root(ORDERS.subject),)
"""The kind of aggregates that a kitchen waits for."""

OLDEST = Gauge(
    "comanda_ordering_outbox_oldest_seconds", "Seconds that the oldest unpublished event has waited"
)

DEPTH = Gauge(
    "comanda_ordering_outbox_events", "Events that are not published yet, counted up to 2000"
)

PARKED = Gauge(
    "comanda_ordering_parked_events",
    "Events that can't be published and were parked, with those behind them",
)


async def watch_waiting(
    engine: AsyncEngine, ready: Ready, *, within_s: float, clock: Callable[[], datetime]
) -> None:
    """Say that the outbox works while no order's event has waited for more than `within_s`.

    Of others, which no kitchen waits for, the relay says what is wrong. Raises when PostgreSQL does
    not answer.
    """
    while True:
        async with engine.connect() as connection:
            waited_s = await oldest_s(connection, clock)
            is_late = waited_s > within_s  # an order's event has waited no longer than the oldest
            if is_late:
                is_late = await oldest_s(connection, clock, OF_ORDERS) > within_s
            DEPTH.set(await count_unpublished(connection))
            PARKED.set(await count_parked(connection))
        OLDEST.set(waited_s)
        late = f"an order's event has waited to be published for more than {within_s:.0f} s"
        ready(failing=late if is_late else None)
        await asyncio.sleep(CHECK_INTERVAL_S)


async def oldest_s(
    connection: AsyncConnection, clock: Callable[[], datetime], kinds: Collection[str] = KINDS
) -> float:
    """Seconds since the oldest unpublished event was decided; 0 if none waits."""
    oldest = await oldest_headers(connection, kinds)
    times = [datetime.fromisoformat(headers["ce-time"]) for headers in oldest]
    return max(0.0, (clock() - min(times)).total_seconds()) if times else 0.0
