"""Live feeds: the latest changes of each topic, and the readers who wait for the next ones."""

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Generic, Protocol, TypeVar

import structlog
from prometheus_client import Counter, Gauge

log = structlog.get_logger()

KEPT = 10_000
"""Changes, over all topics, that are kept for readers who come back."""
BEHIND = 1_000
"""Changes that a reader may be behind; one that is more is told to begin anew."""
HEARTBEAT = 15.0
"""Seconds without a change after which a reader is told that there is none."""


class Ordered(Protocol):
    """What says which of two changes came first."""

    def __le__(self, other: Any, /) -> bool: ...
    def __gt__(self, other: Any, /) -> bool: ...


Position = TypeVar("Position", bound=Ordered)
Change = TypeVar("Change")
News = TypeVar("News")


class Kept(Generic[Position, Change]):
    """The latest changes in their order; what happened up to `begin` is not known."""

    def __init__(self, begin: Position) -> None:
        self._forgotten: Position = begin
        self.last: Position = begin
        self._changes: deque[tuple[Position, str | None, Change]] = deque()

    def note(self, position: Position, topic: str | None, change: Change) -> None:
        """Take in what came next."""
        if len(self._changes) == KEPT:
            self._forgotten, _, _ = self._changes.popleft()
        self._changes.append((position, topic, change))
        self.last = position

    def since(self, topic: str, position: Position) -> list[tuple[Position, Change]] | None:
        """The topic's changes after `position`; None if not all are known, or too many."""
        if not self._forgotten <= position <= self.last:
            return None
        missed = [(at, change) for at, of, change in self._changes if at > position and of == topic]
        return missed if len(missed) <= BEHIND else None


class Reader(Generic[News]):
    """What one reader has still to be sent: it ends rather than grow without bound."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[News | None] = asyncio.Queue(BEHIND)

    def tell(self, news: News) -> bool:
        """Whether there was room for the news; if not, the reader is at its end."""
        if self._waiting.full():
            self.end()
            return False
        self._waiting.put_nowait(news)
        return True

    def end(self) -> None:
        """Let the reader come to its end at once: it will ask again for what it has not got."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def news(self) -> AsyncIterator[News | None]:
        """The news as they come, until the end; None whenever nothing came for a while."""
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    news = await self._waiting.get()
            except TimeoutError:
                yield None
                continue
            if news is None:
                return
            yield news


class Readers(Generic[News]):
    """The readers of each topic; `present` and `too_slow` measure them."""

    def __init__(self, present: Gauge, too_slow: Counter) -> None:
        self._present = present
        self._too_slow = too_slow
        self._of: dict[str, set[Reader[News]]] = defaultdict(set)

    @property
    def topics(self) -> AbstractSet[str]:
        """What anybody reads."""
        return self._of.keys()

    @contextlib.contextmanager
    def reader(self, topic: str) -> Iterator[Reader[News]]:
        """One more reader of the topic from now on."""
        reader: Reader[News] = Reader()
        self._of[topic].add(reader)
        self._present.inc()
        try:
            yield reader
        finally:
            self._present.dec()
            self._forget(topic, reader)

    def tell(self, topic: str, news: News) -> None:
        """Tell all readers of the topic; who is too far behind comes to an end."""
        for reader in [each for each in self._of.get(topic, ()) if not each.tell(news)]:
            self._forget(topic, reader)
            self._too_slow.inc()
            log.info("live reader too slow", topic=topic)

    def end(self) -> None:
        """End all readers."""
        for reader in [each for readers in self._of.values() for each in readers]:
            reader.end()

    def _forget(self, topic: str, reader: Reader[News]) -> None:
        readers = self._of[topic]
        readers.discard(reader)
        if not readers:
            del self._of[topic]
