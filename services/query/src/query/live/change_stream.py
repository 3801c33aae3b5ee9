"""The changes of the order views, whichever replica wrote them: one change stream for all uses."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping

from service_kit.runtime.components import Ready

from query.live.position import ALL, Position
from query.storage.generations import Generation, Generations

LINGER = 10.0
"""Seconds that changes are followed after the last who needed it left."""
PATROL_MS = 1000
"""Milliseconds after which the server answers although nothing has changed."""
PATIENCE = 10.0
"""Seconds without a word after which the server counts as gone."""
BATCH = 500
"""Changes that are taken at once, so that a flood of them holds no request up for long."""
AT_ONCE = 1000
"""Orders that are handed on together at most."""
TICK = 0.02
"""Seconds between two times that changes are handed on: what changes meanwhile goes together."""


class Follower:
    """One who is told of changes; each kind of them overrides what it needs to know."""

    async def opened(self, at: Position) -> None:
        """Changes after `at` will be told; what changed before was perhaps not."""

    def noticed(self, order_id: str) -> None:
        """The order has changed."""

    async def changed(self, changes: Mapping[str, Position]) -> None:
        """These orders have changed, each last at its position; in the order of those."""

    def closed(self) -> None:
        """Changes are not told any more."""


class Following:
    """Follows the live generation while somebody needs it; nothing is read or kept else.

    When a follower fails, MongoDB is lost or another generation becomes the live one, it closes
    and opens anew.
    """

    def __init__(self, generations: Generations) -> None:
        self._generations = generations
        self._followers: list[Follower] = []
        self._needs = 0
        self._wanted = asyncio.Event()
        self._wanted_until = 0.0
        self._open = asyncio.Event()

    def add(self, follower: Follower) -> None:
        """Tell one more of what changes."""
        self._followers.append(follower)

    def want(self) -> bool:
        """Have changes followed for some seconds from now; whether they are already."""
        self._wanted_until = asyncio.get_running_loop().time() + LINGER
        self._wanted.set()
        return self._open.is_set()

    @contextlib.contextmanager
    def needed(self) -> Iterator[None]:
        """Have changes followed for as long as this lasts, and some seconds after it."""
        self._needs += 1
        self.want()
        try:
            yield
        finally:
            self._needs -= 1
            self.want()

    async def until_open(self) -> None:
        """Wait until changes are followed."""
        await self._open.wait()

    async def follow(self, ready: Ready) -> None:
        """Follow changes whenever that is wanted; raises if it can't be done."""
        while True:
            if not self._wanted.is_set():
                ready()
            await self._wanted.wait()
            # a task of its own: on Python 3.11 a TaskGroup that fails leaves its task marked as
            # being cancelled, and the next one in that task would not end well
            await asyncio.create_task(self._follow(self._generations.live, ready))

    async def _follow(self, generation: Generation, ready: Ready) -> None:
        """Until nobody wants it any more, or another generation is live."""
        now = (await generation.orders.database.command("ping"))["operationTime"]
        begin = last = Position(generation.number, now.time, now.inc, ALL)
        async with (
            await generation.orders.watch(
                [{"$project": {"documentKey": 1, "clusterTime": 1}}],
                start_at_operation_time=now,
                max_await_time_ms=PATROL_MS,
                batch_size=BATCH,
            ) as stream,
            self._opened(begin),
            asyncio.TaskGroup() as tasks,
        ):
            ready()
            pending = _Pending()
            handing_on = tasks.create_task(self._hand_on(pending))
            while stream.alive and self._is_wanted(generation):
                async with asyncio.timeout(PATIENCE):
                    change = await stream.try_next()
                if change and "documentKey" in change and change["clusterTime"] > now:
                    last = last.then(change["clusterTime"])
                    await self._notice(str(change["documentKey"]["_id"]), last, pending)
            handing_on.cancel()

    @contextlib.asynccontextmanager
    async def _opened(self, begin: Position) -> AsyncIterator[None]:
        try:
            for follower in self._followers:
                await follower.opened(begin)
            self._open.set()
            yield
        finally:
            self._open.clear()
            for follower in self._followers:
                follower.closed()

    async def _notice(self, order_id: str, position: Position, pending: "_Pending") -> None:
        for follower in self._followers:
            follower.noticed(order_id)
        await pending.add(order_id, position)

    async def _hand_on(self, pending: "_Pending") -> None:
        while True:
            changes = await pending.take()
            for follower in self._followers:
                await follower.changed(changes)
            await asyncio.sleep(TICK)

    def _is_wanted(self, generation: Generation) -> bool:
        if not self._needs and asyncio.get_running_loop().time() > self._wanted_until:
            self._wanted.clear()
        return self._wanted.is_set() and self._generations.live.number == generation.number


class _Pending:
    """Changes to be handed on, of each order the last, in the order of their positions."""

    def __init__(self) -> None:
        self._changes: dict[str, Position] = {}
        self._some = asyncio.Event()
        self._taken = asyncio.Event()

    async def add(self, order_id: str, position: Position) -> None:
        """Take in one more change; waits while there are very many."""
        while len(self._changes) >= AT_ONCE:
            self._taken.clear()
            await self._taken.wait()
        self._changes.pop(order_id, None)
        self._changes[order_id] = position
        self._some.set()

    async def take(self) -> dict[str, Position]:
        """All of them, once there are any."""
        await self._some.wait()
        taken, self._changes = self._changes, {}
        self._some.clear()
        self._taken.set()
        return taken
