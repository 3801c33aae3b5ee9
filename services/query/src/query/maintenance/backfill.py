"""Fills a generation from the streams, while the projectors write what is new to it as well.

Merges commute, so it does not matter that both write to one document at once, nor that some of it
is written again after an interruption.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from comanda_contracts.streams import Stream
from service_kit.nats.batches import in_halves
from service_kit.nats.failures import Fate
from service_kit.nats.subscriber import Received

from query.maintenance.retry import retry_while_away
from query.maintenance.session import REBUILDER, OperatorSession
from query.maintenance.stream_reader import (
    batches,
    direct_batches,
    last_sequence,
    readable,
    sequence_of,
)
from query.maintenance.switchover import Sequences
from query.maintenance.task_group import task_group
from query.projection.apply import FAILURES, apply_batch
from query.projection.projector import PROJECTED
from query.storage.generations import OneGeneration
from query.storage.stores import set_up, stores_over
from query.views.ports import Stores


@dataclass(slots=True)
class BackfillProgress:
    """How far a backfill is, in messages of each stream."""

    read: Sequences
    """It is kept up to date in place."""
    until: Sequences
    read_before: int
    """Messages that a process which was interrupted had read, of all streams."""
    skipped: int = 0
    """Messages that can't be read or stored: the projectors have set them aside."""
    began_at: float = field(default_factory=time.monotonic)

    @property
    def done(self) -> int:
        """Messages read so far, of all streams."""
        return _count(self.read, self.until)

    @property
    def total(self) -> int:
        """Messages to read, of all streams."""
        return sum(self.until.values())


OnProgress = Callable[[BackfillProgress], None]


async def backfill(
    session: OperatorSession, generation: OneGeneration, read: Sequences, on_progress: OnProgress
) -> BackfillProgress:
    """Bring the generation up to what is on the streams now; what comes later it gets anyway.

    `read` says what is in it, and is kept up to date. The projectors ask with each batch which
    generations to write to. So whatever one of them receives after the generation has become the
    candidate it writes to this one as well, and whatever it received before is not above the
    streams' present ends. Raises StoreUnavailable or nats.errors.Error if a server is away for too
    long.
    """
    await retry_while_away(partial(set_up, generation))
    until = {stream.name: await last_sequence(session.js, stream) for stream in PROJECTED}
    progress = BackfillProgress(read, until, read_before=_count(read, until))
    on_progress(progress)
    stores = stores_over(generation)
    async with task_group() as reading:  # while one waits for the store, another is decoded
        for stream in PROJECTED:
            reading.create_task(_read(session, stream, stores, progress, on_progress))
    return progress


async def _read(
    session: OperatorSession,
    stream: Stream,
    stores: Stores,
    progress: BackfillProgress,
    on_progress: OnProgress,
) -> None:
    after, until = progress.read.get(stream.name, 0), progress.until[stream.name]
    found = (
        batches(session.js, stream, REBUILDER, after=after, until=until)
        if session.makes_consumers
        else direct_batches(session.nats, stream, after=after, until=until)
    )
    async with contextlib.aclosing(found):
        async for messages in found:
            received = readable(messages)
            if received:
                progress.skipped += await _apply(received, stores)
            progress.skipped += len(messages) - len(received)
            progress.read[stream.name] = sequence_of(messages[-1])
            on_progress(progress)
    progress.read[stream.name] = max(after, until)


async def _apply(received: list[Received], stores: Stores) -> int:
    """Merge the events. Returns how many the store can't hold; raises what else goes wrong."""

    async def apply(part: list[Received]) -> None:
        await retry_while_away(partial(apply_batch, part, stores))

    failures = await in_halves(apply, received, FAILURES)
    for failure in failures:
        if FAILURES.fate_of(failure.error) is not Fate.PERMANENT:
            raise failure.error
    return len(failures)


def _count(read: Sequences, until: Sequences) -> int:
    return sum(min(read.get(name, 0), end) for name, end in until.items())
