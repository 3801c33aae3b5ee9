"""News of orders whose view has changed, whichever replica of this service wrote it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeVar

from service_kit.components import Ready

from query.outbound.generations import Generations

POLL = 0.5
"""Seconds after which one who waits looks again without news."""
LINGER = 10.0
"""Seconds that the change stream is followed after the last reader left."""
PATROL_MS = 1000
"""Milliseconds after which the server answers although nothing has changed."""
BATCH = 500
"""Changes that are taken at once, so that a flood of them holds no request up for long."""

Seen = TypeVar("Seen")


class Arrivals:
    """Lets a reader wait until the view of an order has changed.

    The change stream is followed only while somebody waits, so that writing a backlog costs
    nothing here. No news is lost: a reader registers before it looks, and whenever the stream was
    opened everybody looks again. While it can't be opened, readers look every `POLL` seconds.
    """

    def __init__(self, generations: Generations) -> None:
        self._generations = generations
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._wanted = asyncio.Event()
        self._wanted_until = 0.0

    async def look_until(
        self,
        order_id: str,
        look: Callable[[], Awaitable[Seen]],
        enough: Callable[[Seen], bool],
        within: float,
    ) -> Seen:
        """Look at an order whenever it changes until that is `enough`, or `within` seconds passed.

        Returns what was seen last; what `look` raises ends the wait.
        """
        clock = asyncio.get_running_loop().time
        end = clock() + within
        with self._news_of(order_id) as news:
            while True:
                seen = await look()
                left = end - clock()
                if enough(seen) or left <= 0:
                    return seen
                self._wanted.set()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left, POLL)):
                        await news.wait()
                news.clear()

    async def follow(self, ready: Ready) -> None:
        """Follow the change stream whenever somebody waits; raises if that can't be done."""
        while True:
            if not self._wanted.is_set():
                ready()
            await self._wanted.wait()
            async for order_id in self._changes(ready):
                for news in self._waiting.get(order_id, ()):
                    news.set()

    async def _changes(self, ready: Ready) -> AsyncIterator[str]:
        """The ids of orders that change, for as long as somebody wants to know."""
        async with await self._generations.live.orders.watch(
            [{"$project": {"documentKey": 1}}], max_await_time_ms=PATROL_MS, batch_size=BATCH
        ) as stream:
            ready()
            for order_id in list(self._waiting):
                yield order_id  # it may have changed before the stream was opened
            while stream.alive and self._is_wanted():
                change = await stream.try_next()
                if change is not None and "documentKey" in change:
                    yield str(change["documentKey"]["_id"])

    def _is_wanted(self) -> bool:
        now = asyncio.get_running_loop().time()
        if self._waiting:
            self._wanted_until = now + LINGER
        elif now > self._wanted_until:
            self._wanted.clear()
        return self._wanted.is_set()

    @contextlib.contextmanager
    def _news_of(self, order_id: str) -> Iterator[asyncio.Event]:
        news = asyncio.Event()
        self._waiting.setdefault(order_id, set()).add(news)
        try:
            yield news
        finally:
            self._waiting[order_id].discard(news)
            if not self._waiting[order_id]:
                del self._waiting[order_id]
