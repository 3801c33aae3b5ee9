"""Reads streams beside the projectors: from any message to any other, as fast as they come."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import partial

import nats.errors
from comanda_contracts import Event, Unreadable, read
from comanda_contracts.streams import Stream
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError
from service_kit.nats.subscriber import Received, read_event

from query.maintenance.retry import Absence, retry_while_away

BATCH_MESSAGES = 1000
FETCH_TIMEOUT_S = 5.0
"""After which a batch that has not come is asked for anew."""
CONSUMER_IDLE_S = 60.0
"""After which the server forgets a consumer of ours that reads no more."""


async def last_sequence(js: JetStreamContext, stream: Stream) -> int:
    """The last message that is on the stream; 0 if there is no such stream."""
    try:
        info = await retry_while_away(lambda: js.stream_info(stream.name))
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
    position, absence = after, Absence()
    while position < until:
        try:
            async with _consumer(js, stream, reader, position + 1, subjects) as (
                subscription,
                pending,
            ):
                async for batch in _prefetched(subscription, pending):
                    absence.end()
                    position = _sequence(batch[-1])
                    yield batch if position <= until else _up_to(batch, until)
                    if position >= until:
                        return
                return
        except (nats.errors.Error, OSError) as error:
            await absence.endure(error)


async def events_on_subject(
    js: JetStreamContext, stream: Stream, subject: str
) -> tuple[list[Event], int]:
    """All events of a subject, and the sequence of the last message: for subjects with few.

    Asked of the stream's leader, so that nothing is missing that was acknowledged to a publisher.
    """
    events: list[Event] = []
    last = 0
    while True:
        next_message = partial(js.get_msg, stream.name, last + 1, subject=subject, next=True)
        try:
            message = await retry_while_away(next_message)
        except NotFoundError:
            return events, last
        last = message.seq or last + 1
        with contextlib.suppress(Unreadable):
            events.append(read(message.headers, message.data or b""))


def readable(messages: Sequence[Msg]) -> list[Received]:
    """The messages that are events. The others were set aside by the projectors."""
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
            inactive_threshold=CONSUMER_IDLE_S,
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


async def _prefetched(
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
    return await subscription.fetch(min(pending, BATCH_MESSAGES), FETCH_TIMEOUT_S)


def _sequence(message: Msg) -> int:
    return message.metadata.sequence.stream


def _up_to(batch: Sequence[Msg], until: int) -> list[Msg]:
    return [message for message in batch if _sequence(message) <= until]
