"""From an order's commit, by PostgreSQL's clock of it, until query's change stream tells of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from comanda_local.stack import DATABASE_URL, Stack
from pymongo import AsyncMongoClient

from tests.benchmarks.loading import connected

ORDERS = "orders-1"
SECOND = timedelta(seconds=1)
SHOWN: list[Mapping[str, Any]] = [
    {
        "$project": {
            "documentKey": 1,
            "version": {
                "$ifNull": [
                    "$fullDocument.order.version",
                    "$updateDescription.updatedFields.order.version",
                ]
            },
        }
    },
    {"$match": {"version": 1}},
]
COMMITTED = """
    SELECT id::text, pg_xact_commit_timestamp(xmin) FROM orders
    WHERE id = ANY($1::uuid[])
"""


class Lags:
    """When each order became visible, in that order, and what its lag is."""

    def __init__(self) -> None:
        self._visible: list[tuple[str, datetime]] = []
        self._more = asyncio.Event()

    def __len__(self) -> int:
        return len(self._visible)

    def note(self, change: Mapping[str, Any]) -> None:
        self._visible.append((change["documentKey"]["_id"], datetime.now(UTC)))
        self._more.set()

    async def until(self, count: int, *, within: float) -> float:
        """Wait until so many are visible. Returns the loop's time of the last."""
        async with asyncio.timeout(within):
            while len(self) < count:
                self._more.clear()
                await self._more.wait()
        return asyncio.get_running_loop().time()

    async def since(self, count: int, database: str) -> list[float]:
        """Seconds from its commit in this database, of each order but the first so many."""
        visible = self._visible[count:]
        async with connected(database) as connection:
            rows = await connection.fetch(COMMITTED, [order_id for order_id, _ in visible])
        committed: dict[str, datetime] = dict(map(tuple, rows))
        return [(at - committed[order_id]) / SECOND for order_id, at in visible]


async def keep_commit_times(stack: Stack) -> None:
    """Have PostgreSQL keep when each transaction committed, which takes a restart."""
    async with connected(stack.urls[DATABASE_URL]) as connection:
        await connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    server, ordering = stack.servers[DATABASE_URL], stack.services["ordering"]
    ordering.stop()
    server.stop()
    server.start()
    ordering.start()
    ordering.wait_until_ready()


@contextlib.asynccontextmanager
async def followed(mongodb: str) -> AsyncIterator[Lags]:
    """The orders that become visible from now on."""
    lags, opened = Lags(), asyncio.Event()

    async def follow(client: AsyncMongoClient[dict[str, Any]]) -> None:
        orders = client.get_default_database()[ORDERS]
        async with await orders.watch(SHOWN, batch_size=500) as changes:
            opened.set()
            async for change in changes:
                lags.note(change)

    async with AsyncMongoClient[dict[str, Any]](mongodb) as client:
        following = asyncio.create_task(follow(client))
        try:
            await opened.wait()
            yield lags
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
