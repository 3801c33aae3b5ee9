"""Reads streams beside the projectors: from anywhere to anywhere, as fast as they come."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import nats.errors
from comanda_contracts import Event, Unreadable, read
from comanda_contracts.streams import Stream
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js.errors import BadRequestError, NotFoundError
from service_kit.nats.subscriber import Received, read_event

from query.views.ports import StoreUnavailable

Done = TypeVar("Done")

BATCH = 1000
FETCH_WITHIN = 5.0
"""Seconds that a batch may take before it is asked for anew."""
PATIENCE = 120.0
"""Seconds that a server may be away: longer than MongoDB keeps what a dead process had begun."""
PAUSE = 0.5
"""Seconds between two tries."""
KEPT = 60.0
"""Seconds after which the server forgets a consumer of ours that reads no more."""


class _Absence:
    """Of a server: it begins with the first failure, however long all went well before."""

    def __init__(self) -> None:
        self._began: float | None = None

    async def endure(self, failure: Exception) -> None:
        """Pause before another try. Raises the failure if the absence has lasted too long."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        if now - self._began > PATIENCE:
            raise failure
        await asyncio.sleep(PAUSE)

    def end(self) -> None:
        """The server has answered."""
        self._began = None


async def persistently(work: Callable[[], Awaitable[Done]]) -> Done:
    """Do work that is safe to repeat, although MongoDB or the broker may be away for a while."""
    absence = _Absence()
    while True:
        try:
            return await work()
        except (NotFoundError, BadRequestError):
            raise
        except (StoreUnavailable, nats.errors.Error, OSError) as error:
            await absence.endure(error)


async def last_sequence(js: JetStreamContext, stream: Stream) -> int:
    """The last message that is on the stream; 0 if there is no such stream."""
    try:
        info = await persistently(lambda: js.stream_info(stream.name))
    except NotFoundError:
        return 0
    return info.state.last_seq


async def batches(
    js: JetStreamContext,
    stream: Stream,
    reader: str,
    *,
    after: int = 0,
    until: int,
    subjects: Sequence[str] = (),
) -> AsyncGenerator[list[Msg], None]:
    """The messages after one sequence and up to another, in their order.

    `reader` names the consumer; two processes of one name are in each other's way, but neither
    misses anything. The next batch is fetched while one is worked on. Goes on where it was when the
    broker was away; raises nats.errors.Error if that takes too long.
    """
    position, absence = after, _Absence()
    while position < until:
        try:
            async with _consumer(js, stream, reader, position + 1, subjects) as (
                subscription,
                pending,
            ):
                async for batch in _ahead(subscription, pending):
                    absence.end()
                    position = _sequence(batch[-1])
                    yield batch if position <= until else _up_to(batch, until)
                    if position >= until:
                        return
                return
        except (nats.errors.Error, OSError) as error:
            await absence.endure(error)


async def everything(js: JetStreamContext, stream: Stream, subject: str) -> tuple[list[Event], int]:
    """All events of a subject, and the sequence of the last message; for a few at a time.

    Asked of the stream's leader, so that nothing is missing that was acknowledged to a publisher.
    """
    events: list[Event] = []
    last = 0
    while True:
        following = partial(js.get_msg, stream.name, last + 1, subject=subject, next=True)
        try:
            message = await persistently(following)
        except NotFoundError:
            return events, last
        last = message.seq or last + 1
        with contextlib.suppress(Unreadable):
            events.append(read(message.headers, message.data or b""))


def readable(messages: Sequence[Msg]) -> list[Received]:
    """Those that are events: the others were set aside by the projectors."""
    received = []
    for message in messages:
        with contextlib.suppress(Unreadable):
            received.append(Received(read_event(message), message))
    return received


@contextlib.asynccontextmanager
async def _consumer(
    js: JetStreamContext, stream: Stream, reader: str, start: int, subjects: Sequence[str]
) -> AsyncIterator[tuple[JetStreamContext.PullSubscription, int]]:
    """A consumer of our own that starts there, and how many messages it has before it."""
    with contextlib.suppress(NotFoundError):
        await js.delete_consumer(stream.name, reader)  # of a process that was killed
    info = await js.add_consumer(
        stream.name,
        api.ConsumerConfig(
            name=reader,
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=start,
            ack_policy=api.AckPolicy.NONE,
            filter_subjects=list(subjects) or [stream.subject],
            inactive_threshold=KEPT,
            mem_storage=True,
            num_replicas=1,
        ),
    )
    subscription = await js.pull_subscribe_bind(info.name, stream.name)
    try:
        yield subscription, info.num_pending or 0
    finally:
        with contextlib.suppress(nats.errors.Error):  # the server forgets it by itself
            await subscription.unsubscribe()
            await js.delete_consumer(stream.name, info.name)


async def _ahead(
    subscription: JetStreamContext.PullSubscription, pending: int
) -> AsyncIterator[list[Msg]]:
    """Batch after batch until none is pending, the next one on its way meanwhile."""
    fetching, read_so_far = None, 0
    try:
        while pending:
            fetching = fetching or asyncio.ensure_future(_fetch(subscription, pending))
            batch = await fetching
            read_so_far += len(batch)
            if batch[-1].metadata.sequence.consumer != read_so_far:
                raise nats.errors.Error("another process reads by the same consumer")
            pending = batch[-1].metadata.num_pending
            fetching = asyncio.ensure_future(_fetch(subscription, pending)) if pending else None
            yield batch
    finally:
        if fetching:
            fetching.cancel()
            await asyncio.wait([fetching])


async def _fetch(subscription: JetStreamContext.PullSubscription, pending: int) -> list[Msg]:
    return await subscription.fetch(min(pending, BATCH), FETCH_WITHIN)


def _sequence(message: Msg) -> int:
    return message.metadata.sequence.stream


def _up_to(batch: Sequence[Msg], until: int) -> list[Msg]:
    return [message for message in batch if _sequence(message) <= until]
