"""Follows a stream without a consumer: every message from a sequence on, in order, none missed."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from comanda_contracts.streams import Stream
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from service_kit.nats.jetstream import jetstream
from service_kit.nats.leader import asking_leader_of
from service_kit.nats.past import SEQUENCE_HEADER, SUBJECT_HEADER, direct_batch

HEARD_BYTES_MAX = 8 * 1024 * 1024
"""What may wait to be taken; what comes beyond it is read from the stream later."""
CHECK_INTERVAL_S = 0.5
"""Seconds between two questions to the stream's leader for its last sequence."""
SILENCE_TIMEOUT_S = 2.0
"""Seconds without an answer after which the server counts as gone."""


class Stored(Protocol):
    """A message of a stream, by its place there."""

    @property
    def sequence(self) -> int: ...


StoredMessage = TypeVar("StoredMessage", bound=Stored)
MakeMessage = Callable[[int, str, Mapping[str, str] | None, bytes], StoredMessage]
"""Makes of a sequence, a subject, headers and a body what the reader takes."""


class MessagesMissed(Exception):
    """The stream is not the one that was followed, or can't be read on: follow it anew."""


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """How far the stream goes, as its leader says, and since when it has been there."""

    created: datetime | None
    sequence: int


def stored_subjects(stream: Stream) -> str:
    """Where the server publishes each message once more, with its sequence, when it is stored."""
    return f"stored.{stream.subject}"


async def set_up_stored_subjects(js: JetStreamContext, stream: Stream) -> None:
    """Have the server publish what the stream stores, unless it does so already."""
    config = (await js.stream_info(stream.name)).config
    wanted = api.RePublish(src=stream.subject, dest=stored_subjects(stream))
    if config.republish is None or config.republish.dest != wanted.dest:
        await js.update_stream(config.evolve(republish=wanted))


# decision/0034: serving follows its stream without a consumer
async def follow_stream(
    client: Client, stream: Stream, make: MakeMessage[StoredMessage], *, after: int = 0
) -> AsyncGenerator[StoredMessage | None]:
    """The messages that come after the sequence `after`, without end.

    They are read from the stream up to its end, then heard as they are stored. A gap between what
    was read and what is heard, and an end that nothing was heard of, are read from the stream.
    Yields None whenever there is nothing new. Raises MessagesMissed, LeaderSilent.
    """
    follower = _Follower(client, stream, make)
    async with follower.hearing():
        end = await follower.end()
        position, created = after, end.created
        while True:
            async for message in follower.read(position + 1, end.sequence):
                position = message.sequence
                yield message
            position = max(position, end.sequence)
            yield None
            due = asyncio.get_running_loop().time() + CHECK_INTERVAL_S
            while heard := await follower.hear(until=due):
                if heard.sequence > position + 1:
                    async for message in follower.read(position + 1, heard.sequence - 1):
                        yield message
                if heard.sequence > position:
                    position = heard.sequence
                    yield heard
            end = await follower.end()
            if end.created != created or end.sequence < position:
                raise MessagesMissed(f"the stream ends at {end.sequence}, not {position}")


async def read_stream(
    client: Client, stream: Stream, make: MakeMessage[StoredMessage], *, after: int = 0
) -> AsyncGenerator[StoredMessage]:
    """The messages after the sequence `after`, up to the stream's present end.

    Raises MessagesMissed, LeaderSilent.
    """
    follower = _Follower(client, stream, make)
    end = await follower.end()
    async for message in follower.read(after + 1, end.sequence):
        yield message


class _Follower(Generic[StoredMessage]):
    """One connection's ways to the messages of the stream."""

    def __init__(self, client: Client, stream: Stream, make: MakeMessage[StoredMessage]) -> None:
        self._client = client
        self._stream = stream
        self._make = make
        self._js = jetstream(client)
        self._connections = client.stats["reconnects"]
        self._heard: asyncio.Queue[Msg] = asyncio.Queue()
        self._heard_bytes = 0

    @contextlib.asynccontextmanager
    async def hearing(self) -> AsyncIterator[None]:
        """Listen to what is stored from now on."""

        async def put(message: Msg) -> None:
            if self._heard_bytes < HEARD_BYTES_MAX:
                self._heard_bytes += weight_of(message)
                self._heard.put_nowait(message)

        subscription = await self._client.subscribe(stored_subjects(self._stream), cb=put)
        try:
            yield
        finally:
            with contextlib.suppress(NatsError):
                await subscription.unsubscribe()

    async def hear(self, *, until: float) -> StoredMessage | None:
        """The next message that was stored; None at the time `until` of the loop's clock.

        Not by nats-py's `next_msg`: it waits by `asyncio.wait_for`, which before Python 3.12
        forgets that it was cancelled if a message comes at that moment, and the service would
        never end.
        """
        self._require_same_connection()
        try:
            async with asyncio.timeout_at(until):
                message = await self._heard.get()
        except TimeoutError:
            return None
        self._heard_bytes -= weight_of(message)
        return self._stored(message)

    async def end(self) -> StreamEnd:
        """Asked of the leader. Raises LeaderSilent if it does not answer in time."""
        info = await leader_says(self._js, self._stream)
        return StreamEnd(info.created, info.state.last_seq)

    async def read(self, first: int, last: int) -> AsyncIterator[StoredMessage]:
        """The messages between these sequences that are still there."""
        while first <= last:
            batch = await self._batch(first) or await self._from_leader(first)
            for message in batch:
                if message.sequence > last:
                    return
                yield message
            if not batch:
                return
            first = batch[-1].sequence + 1

    async def _batch(self, first: int) -> list[StoredMessage]:
        """Messages from the sequence on; none, also if the replica that answers is behind."""
        try:
            batch = await direct_batch(self._client, self._stream, {"seq": first})
        except NatsError as error:
            raise MessagesMissed(f"no messages from the stream: {error!r}") from error
        return [self._stored(message) for message in batch]

    async def _from_leader(self, first: int) -> list[StoredMessage]:
        """The next message from the sequence on, if there is one: the leader knows."""
        try:
            with asking_leader_of(self._stream.name):
                async with asyncio.timeout(SILENCE_TIMEOUT_S):
                    found = await self._js.get_msg(self._stream.name, first, subject=">", next=True)
        except NotFoundError:
            return []
        return [self._make(found.seq or 0, found.subject or "", found.headers, found.data or b"")]

    def _stored(self, message: Msg) -> StoredMessage:
        """A message as a direct get brings it, or as the server publishes it when it is stored."""
        headers: dict[str, Any] = message.headers or {}
        return self._make(
            int(headers[SEQUENCE_HEADER]), headers[SUBJECT_HEADER], headers, message.data
        )

    def _require_same_connection(self) -> None:
        """What came after a break may be another stream of the same name and length."""
        if self._client.stats["reconnects"] != self._connections:
            raise MessagesMissed("the connection was lost meanwhile")


def weight_of(message: Msg) -> int:
    """The bytes of its body, its subject and its headers, of which a message may consist alone."""
    headers = message.headers or {}
    in_headers = sum(len(name) + len(str(text)) for name, text in headers.items())
    return len(message.data) + len(message.subject) + in_headers


async def leader_says(js: JetStreamContext, stream: Stream) -> api.StreamInfo:
    """What the stream's leader says of it. Raises LeaderSilent if it does not answer in time."""
    with asking_leader_of(stream.name):
        async with asyncio.timeout(SILENCE_TIMEOUT_S):
            return await js.stream_info(stream.name)
