"""News of orders whose view has changed, whichever replica of this service wrote it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from query.live.change_stream import Follower, Following
from query.live.position import Position

POLL = 0.5
"""Seconds after which one who waits looks again without news."""

Seen = TypeVar("Seen")


class Arrivals(Follower):
    """Lets a reader wait until the view of an order has changed.

    No news is lost: a reader registers before it looks, and whenever changes begin to be followed
    everybody looks again. While they can't be, readers look every `POLL` seconds.
    """

    def __init__(self, following: Following) -> None:
        self._following = following
        self._waiting: dict[str, set[asyncio.Event]] = {}
        following.add(self)

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
                self._following.want()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left, POLL)):
                        await news.wait()
                news.clear()

    async def opened(self, at: Position) -> None:  # noqa: ARG002 - whenever that was
        """Have everybody look: it may have changed before."""
        for order_id in list(self._waiting):
            self.noticed(order_id)

    def noticed(self, order_id: str) -> None:
        """Have those look who wait for this order."""
        for news in self._waiting.get(order_id, ()):
            news.set()

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
