"""The changes of views, whichever replica wrote them: a MongoDB stream for all uses of a kind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from bson import Timestamp
from pymongo.asynchronous.change_stream import AsyncChangeStream
from service_kit.runtime.components import Ready

from query.live.position import LAST_ORDINAL, Position
from query.storage.client import Collection
from query.storage.generations import Generation, Generations

LINGER_S = 10.0
"""For which the stream stays open after the last who needed it left."""
AWAIT_TIME_MS_MAX = 1000
"""After which the server answers although nothing has changed."""
SILENCE_TIMEOUT_S = 10.0
"""Without an answer after which the server counts as gone."""
READ_CHANGES_MAX = 500
"""Changes in one answer of the server, so that decoding a flood of them holds no request up."""
BATCH_KEYS_MAX = 1000
"""Documents in one batch for the listeners."""
BATCH_INTERVAL_S = 0.02
"""Between two batches: what changes meanwhile is told together."""


class ChangeListener:
    """Is told of changes; each kind of listener overrides what it needs to know."""

    async def on_open(self, begin: Position) -> None:
        """The stream is open: changes after `begin` will be told; earlier ones perhaps not."""

    def on_change(self, key: str) -> None:
        """The document with this `_id` has changed just now. Called for each change, at once."""

    async def on_batch(self, changes: Mapping[str, Position]) -> None:
        """These documents have changed, each last at its position; ordered by position."""

    def on_close(self) -> None:
        """The stream is closed: changes are not told any more."""


class ChangeStream:
    """Reads the changes of some collections of the live generation, while somebody needs them.

    It closes, and opens again, when a listener fails, MongoDB is lost or another generation
    becomes the live one. While nobody needs it nothing is read.
    """

    def __init__(
        self,
        generations: Generations,
        of: Callable[[Generation], Sequence[Collection]] = lambda generation: [generation.orders],
    ) -> None:
        """`of` says whose changes are read; a key is then told of whichever it is in."""
        self._generations = generations
        self._of = of
        self._listeners: list[ChangeListener] = []
        self._users = 0
        self._is_needed = asyncio.Event()
        self._needed_until = 0.0
        self._is_open = asyncio.Event()

    def add(self, listener: ChangeListener) -> None:
        """Tell changes to one more listener."""
        self._listeners.append(listener)

    def request(self) -> bool:
        """Have the stream open for `LINGER_S` from now; returns whether it is open already."""
        self._needed_until = asyncio.get_running_loop().time() + LINGER_S
        self._is_needed.set()
        return self._is_open.is_set()

    @contextlib.contextmanager
    def kept_open(self) -> Iterator[None]:
        """Have the stream open for as long as the context lasts, and `LINGER_S` after it."""
        self._users += 1
        self.request()
        try:
            yield
        finally:
            self._users -= 1
            self.request()

    async def wait_until_open(self) -> None:
        """Wait until the stream is open."""
        await self._is_open.wait()

    async def run(self, ready: Ready) -> None:
        """Read changes whenever they are needed, for ever; raises if they can't be read."""
        while True:
            if not self._is_needed.is_set():
                ready()
            await self._is_needed.wait()
            # a task of its own: on Python 3.11 a TaskGroup that fails leaves its task marked as
            # being cancelled, and the next one in that task would not end well
            await asyncio.create_task(self._read(self._generations.live, ready))

    async def _read(self, generation: Generation, ready: Ready) -> None:
        """Read until nobody needs it any more, or another generation is live."""
        collections = self._of(generation)
        now = (await collections[0].database.command("ping"))["operationTime"]
        begin = last = Position(generation.number, now.time, now.inc, LAST_ORDINAL)
        async with (
            await _watch(collections, now) as stream,
            self._opened(begin),
            asyncio.TaskGroup() as tasks,
        ):
            ready()
            pending = _PendingChanges()
            delivery = tasks.create_task(self._deliver_batches(pending))
            while stream.alive and self._is_still_needed(generation):
                async with asyncio.timeout(SILENCE_TIMEOUT_S):
                    change = await stream.try_next()
                if change and "documentKey" in change and change["clusterTime"] > now:
                    last = last.then(change["clusterTime"])
                    await self._deliver(str(change["documentKey"]["_id"]), last, pending)
            delivery.cancel()

    @contextlib.asynccontextmanager
    async def _opened(self, begin: Position) -> AsyncIterator[None]:
        try:
            for listener in self._listeners:
                await listener.on_open(begin)
            self._is_open.set()
            yield
        finally:
            self._is_open.clear()
            for listener in self._listeners:
                listener.on_close()

    async def _deliver(self, key: str, position: Position, pending: "_PendingChanges") -> None:
        for listener in self._listeners:
            listener.on_change(key)
        await pending.add(key, position)

    async def _deliver_batches(self, pending: "_PendingChanges") -> None:
        while True:
            changes = await pending.take()
            for listener in self._listeners:
                await listener.on_batch(changes)
            await asyncio.sleep(BATCH_INTERVAL_S)

    def _is_still_needed(self, generation: Generation) -> bool:
        if not self._users and asyncio.get_running_loop().time() > self._needed_until:
            self._is_needed.clear()
        return self._is_needed.is_set() and self._generations.live.number == generation.number


async def _watch(
    collections: Sequence[Collection], now: Timestamp
) -> AsyncChangeStream[dict[str, Any]]:
    """The changes of one collection, or of several in one stream over their database."""
    first, *others = collections
    names = [each.name for each in collections]
    which: list[Any] = [{"$match": {"ns.coll": {"$in": names}}}] if others else []
    watched = first.database if others else first
    return await watched.watch(
        [*which, {"$project": {"documentKey": 1, "clusterTime": 1}}],
        start_at_operation_time=now,
        max_await_time_ms=AWAIT_TIME_MS_MAX,
        batch_size=READ_CHANGES_MAX,
    )


class _PendingChanges:
    """Changes that are to be told: of each document the last, ordered by position."""

    def __init__(self) -> None:
        self._changes: dict[str, Position] = {}
        self._some = asyncio.Event()
        self._taken = asyncio.Event()

    async def add(self, key: str, position: Position) -> None:
        """Add a change, later than all before; waits while `BATCH_KEYS_MAX` are pending."""
        while len(self._changes) >= BATCH_KEYS_MAX:
            self._taken.clear()
            await self._taken.wait()
        self._changes.pop(key, None)
        self._changes[key] = position
        self._some.set()

    async def take(self) -> dict[str, Position]:
        """Remove and return all of them, once there are any."""
        await self._some.wait()
        taken, self._changes = self._changes, {}
        self._some.clear()
        self._taken.set()
        return taken
