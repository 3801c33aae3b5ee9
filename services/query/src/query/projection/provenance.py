"""Whether the views are those of the streams: either may have been lost or replaced."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import nats.errors
from comanda_contracts import Event, Unreadable, read, subjects
from comanda_contracts.streams import DEAD_LETTERS, Stream
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from prometheus_client import Gauge
from service_kit.nats.dead_letters import SEQUENCE
from service_kit.nats.jetstream import jetstream
from service_kit.runtime.components import Ready

from query.projection.projector import SERVICE
from query.views.ports import Checkpoint, Checkpoints, StoreUnavailable

CHECK_INTERVAL_S = 2.0
CHECK_TIMEOUT_S = 3.0
"""Within which NATS must answer, or nothing new is known."""

FOREIGN = Gauge(
    "comanda_query_views_foreign", "1 while the views are not those of this stream", ["stream"]
)


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream as it is now."""

    created: str
    first_sequence: int
    last_sequence: int
    projected: int
    """All up to this message is acknowledged, by whichever views there were then."""


class Provenance:
    """Compares each stream with its checkpoint, and keeps the checkpoint up to date.

    The views are foreign if a stream was projected and there are none, if their checkpoint was lost
    while we looked on, if an older copy of it came back, if the stream was made anew, if it ends
    before what was projected, or if it begins after that, so that something left it for its archive
    unseen. That stays so until a rebuild has made the views from the streams.

    That a view is not there says nothing by itself: it may have ended by its age.
    """

    def __init__(
        self, checkpoints: Checkpoints, streams: Sequence[Stream], *, is_keeper: bool = True
    ) -> None:
        """Who is no keeper of the checkpoints only reads them; whoever projects keeps them."""
        self._checkpoints = checkpoints
        self._streams = streams
        self._is_keeper = is_keeper
        self._seen: set[str] = set()
        self._looks: dict[str, int] = {}
        """By stream how many looks its checkpoint had counted after ours."""
        self._checking = asyncio.Lock()

    async def keep_checking(
        self,
        jetstream: Callable[[], Awaitable[JetStreamContext]],
        look_for_live: Callable[[], Awaitable[object]],
        ready: Ready,
    ) -> None:
        """Check, for ever, and report why the views are foreign if they are.

        Before they are no longer it is looked which ones are live: nobody is told of views made
        anew and shown those of before.
        """
        reasons: list[str] = []
        while True:
            try:
                async with asyncio.timeout(CHECK_TIMEOUT_S):
                    found = await self.check(await jetstream())
                    if reasons and not found:
                        await look_for_live()
                    reasons = found
            except (nats.errors.Error, TimeoutError, OSError):
                pass  # old views are better than none: what was known before holds
            except StoreUnavailable:
                if not self._seen:
                    raise
            ready(failing="; ".join(reasons) or None)
            await asyncio.sleep(CHECK_INTERVAL_S)

    async def note(self, stream: Stream, client: Client) -> None:
        """Check a stream before anything of it is projected, so that what is stored then, or set
        aside, is not taken for what was there before.

        Raises StoreUnavailable, nats.errors.Error, TimeoutError.
        """
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await self._reason(jetstream(client), stream)

    async def note_stored(self, stream: str, sequence: int) -> None:
        """Note how far what is about to be acknowledged is stored. Raises StoreUnavailable."""
        await self._checkpoints.note_stored(stream, sequence)

    async def check(self, js: JetStreamContext) -> list[str]:
        """Why the views are not those of the streams; nothing if they are.

        Raises StoreUnavailable, nats.errors.Error.
        """
        reasons = []
        for stream in self._streams:
            try:
                reason = await self._reason(js, stream)
            except NotFoundError:
                continue  # there is none yet, or its owner has lost it
            FOREIGN.labels(stream.name).set(bool(reason))
            reasons += [f"{reason}; rebuild"] if reason else []
        return reasons

    async def _reason(self, js: JetStreamContext, stream: Stream) -> str | None:
        """The checkpoint is read first: the stream is then no shorter than whoever put it saw."""
        async with self._checking:
            checkpoint = (await self._checkpoints.known()).get(stream.name)
            return await self._compare(js, stream.name, checkpoint, await _state(js, stream))

    async def _compare(
        self, js: JetStreamContext, name: str, checkpoint: Checkpoint | None, now: StreamState
    ) -> str | None:
        if checkpoint is None:
            if name in await self._checkpoints.known():
                return None  # another replica has just made it, and may be projecting: next time
            is_gone = name in self._seen or not await self._checkpoints.has_views()
            is_gone = is_gone or not await self._has_what_was_acknowledged(js, name, now)
            is_lost = (is_gone and now.projected > 0) or _has_left_unseen(now, now.projected)
            if self._is_keeper:
                await self._checkpoints.add(name, now.created, now.projected, is_lost=is_lost)
                self._seen.add(name)
            return _gone(name, now.projected) if is_lost else None
        self._seen.add(name)
        if foreign := _contradiction(name, checkpoint, now):
            self._looks.pop(name, None)
            return foreign
        return await self._verified(js, name, checkpoint, now) if self._is_keeper else None

    # decision/0070: views that were lost are made anew by themselves
    async def _verified(
        self, js: JetStreamContext, name: str, checkpoint: Checkpoint, now: StreamState
    ) -> str | None:
        """Move the checkpoint on if the views have what was acknowledged; else note their loss."""
        is_older = checkpoint.looks < self._looks.get(name, 0)
        if not is_older and now.projected > (checkpoint.stored or 0):
            is_older = not await self._has_what_was_acknowledged(js, name, now)
        if is_older or _has_left_unseen(now, max(checkpoint.sequence, now.projected)):
            self._looks.pop(name, None)
            await self._checkpoints.lose(name)
            return _gone(name, now.projected)
        if now.projected > checkpoint.sequence:
            await self._checkpoints.advance(name, now.created, now.projected)
        self._looks[name] = await self._checkpoints.count_look(name)
        return None

    async def _has_what_was_acknowledged(
        self, js: JetStreamContext, name: str, now: StreamState
    ) -> bool:
        """Whether the views have the event that was acknowledged last.

        It is asked where more is acknowledged than was noted to be stored: by a release that noted
        nothing, of messages that have no effect, or in a later copy than the one that is there. An
        event that is no longer on the stream, or was set aside, says nothing.
        """
        if not now.projected:
            return True
        event = await _acknowledged(js, name, now.projected)
        return event is None or await self._checkpoints.has_effect_of(event)


def _contradiction(name: str, checkpoint: Checkpoint, now: StreamState) -> str | None:
    """Why the views with this checkpoint are not those of the stream, as far as it tells."""
    if checkpoint.is_lost:
        return _gone(name, checkpoint.sequence)
    if checkpoint.created != now.created:
        return f"{name} is not the stream that the views were made from"
    if now.last_sequence < checkpoint.sequence:
        return f"{name} ends at {now.last_sequence}, the views are at {checkpoint.sequence}"
    return None


def _has_left_unseen(now: StreamState, projected: int) -> bool:
    """Whether messages left the stream, by their age, before they were projected."""
    return now.first_sequence > projected + 1


async def _state(js: JetStreamContext, stream: Stream) -> StreamState:
    info = await js.stream_info(stream.name)
    try:
        consumer = await js.consumer_info(stream.name, SERVICE)
    except NotFoundError:
        projected = 0
    else:
        projected = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
    return StreamState(str(info.created), info.state.first_seq, info.state.last_seq, projected)


def _gone(name: str, sequence: int) -> str:
    return (
        f"the views are empty, or not those made from {name}, which was projected up to {sequence}"
    )


async def _acknowledged(js: JetStreamContext, name: str, sequence: int) -> Event | None:
    """The event that was acknowledged; None if it is gone, was set aside or can't be read."""
    try:
        message = await js.get_msg(name, sequence)
        event = read(message.headers, message.data or b"")
    except (NotFoundError, Unreadable):
        return None
    return None if await _was_set_aside(js, name, sequence) else event


async def _was_set_aside(js: JetStreamContext, name: str, sequence: int) -> bool:
    """Whether this message, or a later one, is among the dead letters."""
    try:
        letter = await js.get_last_msg(DEAD_LETTERS.name, subjects.dead_letter(SERVICE, name))
    except NotFoundError:
        return False
    return int((letter.headers or {}).get(SEQUENCE, 0)) >= sequence
