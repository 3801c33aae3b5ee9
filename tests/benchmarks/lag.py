"""From when an order was placed until query's store has it, as its change stream tells."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import AsyncMongoClient

ORDERS = "orders-1"
PLACED_AT = "order.placed_at"
SHOWN: list[Mapping[str, Any]] = [
    {
        "$project": {
            "placed_at": {
                "$ifNull": [
                    f"$fullDocument.{PLACED_AT}",
                    f"$updateDescription.updatedFields.{PLACED_AT}",
                ]
            },
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


class Lags:
    """Seconds that each order took, in the order in which they became visible."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._more = asyncio.Event()

    def note(self, change: Mapping[str, Any]) -> None:
        placed_at = change["placed_at"].replace(tzinfo=UTC)
        self.seconds.append((datetime.now(UTC) - placed_at) / timedelta(seconds=1))
        self._more.set()

    async def until(self, count: int, *, within: float) -> float:
        """Wait until so many are visible. Returns the loop's time of the last."""
        async with asyncio.timeout(within):
            while len(self.seconds) < count:
                self._more.clear()
                await self._more.wait()
        return asyncio.get_running_loop().time()


@contextlib.asynccontextmanager
async def followed(mongodb: str) -> AsyncIterator[Lags]:
    """The lags of the orders that become visible from now on."""
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
