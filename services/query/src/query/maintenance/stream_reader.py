"""Reads streams beside the projectors: from any message to any other, as fast as they come."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import datetime
from functools import partial

import nats.errors
from comanda_contracts import Event, Unreadable, read, subjects
from comanda_contracts.streams import Archive, Stream
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError
from service_kit.nats.jetstream import jetstream
from service_kit.nats.past import (
    SEQUENCE_HEADER,
    SUBJECT_HEADER,
    Part,
    archived_messages,
    direct_batch,
    is_about,
    part_after,
)
from service_kit.nats.subscriber import Received, read_event

from query.maintenance.retry import Absence, retry_while_away

BATCH_MESSAGES = 1000
FETCH_TIMEOUT_S = 5.0
"""After which a batch that has not come is asked for anew."""
SEQUENCE_MAX = 2**63 - 1
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
) -> AsyncGenerator[list[Msg], None]:
    """The messages after one sequence and up to another, in their order.

    What has left the stream is read from its archive. `reader` names the consumer; two processes of
    one name are in each other's way, but neither misses anything. The next batch is fetched while
    one is worked on. Goes on where it was when the broker was away; raises nats.errors.Error if
    that takes too long.
    """
    position, absence = after, Absence()
    while position < until:
        try:
            part = await part_after(js, stream, position, until)
            consumer = _consumer(js, part.stream, reader, position + 1)
            async with consumer as (subscription, pending), contextlib.AsyncExitStack() as reading:
                found = await reading.enter_async_context(
                    contextlib.aclosing(_prefetched(subscription, pending))
                )
                async for batch in found:
                    absence.end()
                    if await _has_left_meanwhile(js, part, batch, position):
                        break
                    position = sequence_of(batch[-1])
                    yield batch if position <= part.until else _up_to(batch, part.until)
                    if position >= part.until:
                        break
                else:
                    position = part.until
            position = min(position, part.until)
        except (nats.errors.Error, OSError) as error:
            await absence.endure(error)


async def direct_batches(
    client: Client, stream: Stream, *, after: int = 0, until: int
) -> AsyncGenerator[list[Msg], None]:
    """As `batches`, by direct gets: without a consumer, which nothing that runs may make."""
    js, position, absence = jetstream(client), after, Absence()
    while position < until:
        try:
            part = await part_after(js, stream, position, until)
            found = await direct_batch(client, part.stream, {"seq": position + 1})
            batch = [_DirectMessage.of(each) for each in found]
            batch = batch or await _from_leader(js, part.stream, position + 1)
            if batch and await _has_left_meanwhile(js, part, batch, position):
                continue
        except (nats.errors.Error, OSError) as error:
            await absence.endure(error)
            continue
        absence.end()
        taken = [each for each in batch if each.sequence <= part.until]
        position = taken[-1].sequence if taken else part.until
        if taken:
            yield list(taken)


async def _from_leader(
    js: JetStreamContext, stream: Stream, sequence: int
) -> "list[_DirectMessage]":
    """The next message from the sequence on, if there is one: a replica may be behind."""
    try:
        found = await js.get_msg(stream.name, sequence, subject=">", next=True)
    except NotFoundError:
        return []
    return [_DirectMessage.stored(js, found)]


class _DirectMessage(Msg):
    """A message that no consumer has delivered, with the subject that it was stored on."""

    sequence: int = 0

    @classmethod
    def of(cls, message: Msg) -> "_DirectMessage":
        headers = dict(message.headers or {})
        subject, sequence = headers[SUBJECT_HEADER], int(headers[SEQUENCE_HEADER])
        return cls._made(message._client, subject, sequence, headers, message.data)

    @classmethod
    def stored(cls, js: JetStreamContext, found: api.RawStreamMsg) -> "_DirectMessage":
        headers = dict(found.headers or {})
        return cls._made(js._nc, found.subject or "", found.seq or 0, headers, found.data or b"")

    @classmethod
    def _made(
        cls, client: Client, subject: str, sequence: int, headers: dict[str, str], body: bytes
    ) -> "_DirectMessage":
        made = cls(client, subject=subject, data=body, headers=headers)
        made.sequence = sequence
        return made


async def _has_left_meanwhile(
    js: JetStreamContext, part: Part, batch: Sequence[Msg], position: int
) -> bool:
    """Whether messages before the batch have just left the stream: the archive has them."""
    if sequence_of(batch[0]) == position + 1:
        return False
    present = await part_after(js, part.stream, position, sequence_of(batch[0]) - 1)
    return present.stream is not part.stream


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


async def archived_events(
    client: Client, stream: Stream, subject: str, key: str, since: datetime | None
) -> list[Event]:
    """The events of an order, named by `key`, that have left the stream, from its archive.

    The archive is gone through on `subject`, which names no order, from the time `since` on: all of
    it if that is None.
    """
    past = await retry_while_away(
        lambda: part_after(jetstream(client), stream, 0, until=SEQUENCE_MAX)
    )
    events: list[Event] = []
    if not isinstance(past.stream, Archive):
        return events
    archive = past.stream

    async def found() -> list[Msg]:
        messages = archived_messages(client, archive, subject, since=since, until=past.until)
        async with contextlib.aclosing(messages):
            return [each async for each in messages if is_about(each, key)]

    for message in await retry_while_away(found):
        with contextlib.suppress(Unreadable):
            event = read(message.headers, message.data)
            if (message.headers or {})[SUBJECT_HEADER] == subjects.archived(event.subject):
                events.append(event)
    return events


def readable(messages: Sequence[Msg]) -> list[Received]:
    """The messages that are events. The others were set aside by the projectors."""
    received = []
    for message in messages:
        with contextlib.suppress(Unreadable):
            received.append(Received(read_event(message), message))
    return received


@contextlib.asynccontextmanager
async def _consumer(
    js: JetStreamContext, stream: Stream, reader: str, start: int
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
            filter_subjects=[stream.subject],
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
) -> AsyncGenerator[list[Msg], None]:
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


def sequence_of(message: Msg) -> int:
    """Its place in its stream."""
    if isinstance(message, _DirectMessage):
        return message.sequence
    return message.metadata.sequence.stream


def _up_to(batch: Sequence[Msg], until: int) -> list[Msg]:
    return [message for message in batch if sequence_of(message) <= until]
