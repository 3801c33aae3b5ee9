"""Live feeds: the latest changes of each topic, and the readers that wait for the next ones."""

import asyncio
import contextlib
import random
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Generic, Protocol, TypeVar

import structlog
from prometheus_client import Counter, Gauge

from service_kit.http.unsent import PROCESS

log = structlog.get_logger()

REPLAY_BUFFER_CHANGES = 10_000
"""Changes, over all topics, that are kept for readers that reconnect."""
READER_LAG_MAX_CHANGES = 1_000
"""Changes that a reader may be behind; one that is further behind has to start anew."""
READER_LAG_MAX_BYTES = 4 * 1024 * 1024
"""Of those changes together, where their size is known."""
HEARTBEAT_INTERVAL_S = 15.0
"""Seconds without a change after which a reader is sent a heartbeat."""
BEGIN_INTERVAL_S = 1.0
"""After which a feed that can't begin yet is tried again; each time twice as long, up to
`HEARTBEAT_INTERVAL_S`."""
BEGIN_JITTER = 0.25
"""The part of that by which it may come sooner, so that those who wait do not come all at once."""


class FeedsClosed(Exception):
    """The service is about to end: no feed begins any more."""


class Ordered(Protocol):
    """A position in the order of changes: of two, one comes first."""

    def __le__(self, other: Any, /) -> bool: ...
    def __gt__(self, other: Any, /) -> bool: ...


Position = TypeVar("Position", bound=Ordered)
Change = TypeVar("Change")
Update = TypeVar("Update")


class ReplayBuffer(Generic[Position, Change]):
    """The latest changes in their order; changes up to `begin` are not known."""

    def __init__(self, begin: Position) -> None:
        self._dropped_up_to: Position = begin
        self.last: Position = begin
        self._changes: deque[tuple[Position, str | None, Change]] = deque()

    def append(self, position: Position, topic: str | None, change: Change) -> None:
        """Add the next change; the oldest is dropped when the buffer is full."""
        if len(self._changes) == REPLAY_BUFFER_CHANGES:
            self._dropped_up_to, _, _ = self._changes.popleft()
        self._changes.append((position, topic, change))
        self.last = position

    def since(self, topic: str, position: Position) -> list[tuple[Position, Change]] | None:
        """The topic's changes after `position`; None if some are dropped, or they are too many."""
        if not self._dropped_up_to <= position <= self.last:
            return None
        missed = [(at, change) for at, of, change in self._changes if at > position and of == topic]
        return missed if len(missed) <= READER_LAG_MAX_CHANGES else None


class Reader(Generic[Update]):
    """One reader's queue of updates; it is bounded, and a reader that fills it is ended."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[Update, Sequence[bytes]] | None] = asyncio.Queue(
            READER_LAG_MAX_CHANGES
        )
        self._held = PROCESS.account(self._drop_queue)

    def offer(self, update: Update, pieces: Sequence[bytes] = ()) -> bool:
        """Queue an update that is made of these pieces.

        Returns False, and ends the reader, if the queue is full or all readers hold too much. One
        update fits into the queue in any case while no other is waiting.
        """
        waiting = self._held.size_bytes
        is_too_long = waiting and waiting + sum(map(len, pieces)) > READER_LAG_MAX_BYTES
        if self._queue.full() or is_too_long:
            self.end()
            return False
        self._queue.put_nowait((update, pieces))
        return self._held.hold(pieces)

    def end(self) -> None:
        """End the reader at once; the client reconnects and asks for what it has not got."""
        self._held.end()
        self._drop_queue()

    def _drop_queue(self) -> None:
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def updates(self) -> AsyncIterator[Update | None]:
        """The updates as they come, until the end; None stands for a heartbeat."""
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT_INTERVAL_S):
                    queued = await self._queue.get()
            except TimeoutError:
                yield None
                continue
            if queued is None:
                return
            update, pieces = queued
            self._held.release(pieces)
            del queued, pieces
            yield update
            del update  # it may be long until the next


class Readers(Generic[Update]):
    """The readers of each topic; the metrics `present` and `too_slow` count them."""

    def __init__(self, present: Gauge, too_slow: Counter) -> None:
        self._present = present
        self._too_slow = too_slow
        self._by_topic: dict[str, set[Reader[Update]]] = defaultdict(set)

    @property
    def topics(self) -> AbstractSet[str]:
        """The topics that have readers."""
        return self._by_topic.keys()

    @contextlib.contextmanager
    def reader(self, topic: str) -> Iterator[Reader[Update]]:
        """A new reader of the topic, for as long as the context lasts."""
        reader: Reader[Update] = Reader()
        self._by_topic[topic].add(reader)
        self._present.inc()
        try:
            yield reader
        finally:
            self._present.dec()
            reader.end()
            self._remove(topic, reader)

    def publish(self, topic: str, update: Update, pieces: Sequence[bytes] = ()) -> None:
        """Send an update to all readers of the topic; those that are too slow are ended.

        `pieces` is what they are all sent of it, so that its bytes are counted.
        """
        readers = self._by_topic.get(topic, ())
        for reader in [each for each in readers if not each.offer(update, pieces)]:
            self._remove(topic, reader)
            self._too_slow.inc()
            log.info("live reader too slow", topic=topic)

    def end_topic(self, topic: str) -> None:
        """End the readers of this topic."""
        for reader in [*self._by_topic.get(topic, ())]:
            reader.end()

    def end(self) -> None:
        """End all readers."""
        for reader in [each for readers in self._by_topic.values() for each in readers]:
            reader.end()

    def _remove(self, topic: str, reader: Reader[Update]) -> None:
        readers = self._by_topic[topic]
        readers.discard(reader)
        if not readers:
            del self._by_topic[topic]


# decision/0062: a feed waits for its store
async def once_possible(
    begin: Callable[[], AsyncGenerator[Update | None]], is_away: Callable[[Exception], bool]
) -> AsyncGenerator[Update | None]:
    """What `begin` makes, once its store is not away any more; heartbeats until then.

    A browser's `EventSource` never comes back from a refusal, so a feed waits instead. `begin` is
    called again whenever what it made raises an error that `is_away` knows; others are raised, but
    FeedsClosed: the feed then ends, and its reader comes back to another replica.
    """
    clock = asyncio.get_running_loop().time
    silent_since: float | None = None
    pause_s = BEGIN_INTERVAL_S
    while True:
        try:
            async with contextlib.aclosing(begin()) as updates:
                async for each in updates:
                    pause_s = BEGIN_INTERVAL_S
                    yield each
                    del each  # it may be long until the next
            return
        except FeedsClosed:
            return
        except Exception as error:
            if not is_away(error):
                raise
        if silent_since is None or clock() - silent_since + pause_s >= HEARTBEAT_INTERVAL_S:
            yield None
            silent_since = clock()
        await asyncio.sleep(pause_s * random.uniform(1 - BEGIN_JITTER, 1))  # noqa: S311 - no secret
        pause_s = min(2 * pause_s, HEARTBEAT_INTERVAL_S)
