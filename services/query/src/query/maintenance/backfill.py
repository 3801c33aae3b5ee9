"""Fills a generation from the streams, while the projectors write what is new to it as well.

Joins commute, so it does not matter that both write to one document at once, nor that some of it is
written again after an interruption.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from comanda_contracts.streams import Stream

from query.maintenance.session import REBUILDER, Site
from query.maintenance.switchover import Filling, Sequences
from query.projection.apply import store
from query.projection.projector import PROJECTED
from query.projection.stream_reader import batches, last_sequence, persistently, readable
from query.storage.generations import OneGeneration
from query.storage.stores import set_up, stores_over
from query.views.ports import Stores, StoreUnavailable

BEAT_EVERY = 0.25
"""Seconds between two notes of how far it is, which also say that we are alive."""


@dataclass(slots=True)
class Progress:
    """How far a filling is, in messages of each stream."""

    read: Sequences
    until: Sequences
    began_at: int = 0
    """How many were read before, by a process that was interrupted."""
    skipped: int = 0
    """Messages that can't be read or stored: the projectors have set them aside."""
    began: float = field(default_factory=time.monotonic)

    @property
    def done(self) -> int:
        """Messages read so far, of all streams."""
        return sum(min(self.read.get(name, 0), end) for name, end in self.until.items())

    @property
    def total(self) -> int:
        """Messages to read, of all streams."""
        return sum(self.until.values())


Watch = Callable[[Progress], None]
"""Is told of each step."""


async def fill(site: Site, filling: Filling, watch: Watch) -> Progress:
    """Bring the generation up to what is on the streams now; what comes later it gets anyway.

    The projectors ask with each batch which generations to write to. So whatever one of them
    receives after the filling had begun it writes to this one as well, and whatever it received
    before is not above the streams' present ends. Raises NotPossible if the generation is taken
    from us, and StoreUnavailable or nats.errors.Error if a server is away for too long.
    """
    generation = OneGeneration(site.database, filling.number)
    await persistently(partial(set_up, generation))
    until = {stream.name: await last_sequence(site.js, stream) for stream in PROJECTED}
    progress = Progress(dict(filling.read), until)
    progress.began_at = progress.done
    watch(progress)
    beating = asyncio.create_task(_keep_beating(site, progress))
    try:
        await _unless(beating, _read_all(site, stores_over(generation), progress, watch))
        await persistently(partial(site.succession.beat, progress.read))
    finally:
        beating.cancel()
        await asyncio.wait([beating])
    return progress


async def held(site: Site, read: Sequences, work: Awaitable[None]) -> None:
    """Do some more work while we say that we are alive. Raises as `fill` does."""
    beating = asyncio.create_task(_keep_beating(site, Progress(read, {})))
    try:
        await _unless(beating, work)
    finally:
        beating.cancel()
        await asyncio.wait([beating])


async def _unless(beating: "asyncio.Task[None]", work: Awaitable[None]) -> None:
    """Do the work, unless the beating fails meanwhile: then raise what that raises."""
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait([beating, working], return_when=asyncio.FIRST_COMPLETED)
        if beating.done():
            beating.result()
        await working
    finally:
        working.cancel()
        with contextlib.suppress(BaseException):  # it was told above
            await working


async def _read_all(site: Site, stores: Stores, progress: Progress, watch: Watch) -> None:
    """All streams at once: while one waits for the store, another is decoded."""
    reading = [
        asyncio.create_task(_read(site, stream, stores, progress, watch)) for stream in PROJECTED
    ]
    try:
        await asyncio.gather(*reading)
    finally:
        for task in reading:
            task.cancel()
        await asyncio.wait(reading)


async def _read(
    site: Site, stream: Stream, stores: Stores, progress: Progress, watch: Watch
) -> None:
    after, until = progress.read.get(stream.name, 0), progress.until[stream.name]
    async with contextlib.aclosing(
        batches(site.js, stream, REBUILDER, after=after, until=until)
    ) as found:
        async for messages in found:
            received = readable(messages)
            if received:
                refused = await persistently(partial(store, received, stores))
                progress.skipped += len(refused)
            progress.skipped += len(messages) - len(received)
            progress.read[stream.name] = messages[-1].metadata.sequence.stream
            watch(progress)
    progress.read[stream.name] = max(after, until)


async def _keep_beating(site: Site, progress: Progress) -> None:
    while True:
        with contextlib.suppress(
            StoreUnavailable
        ):  # if it is away for long, the filling ends by itself
            await site.succession.beat(dict(progress.read))
        await asyncio.sleep(BEAT_EVERY)
