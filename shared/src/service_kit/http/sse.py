"""Server-Sent Events: their wire format, and the response that streams them.

Not by sse-starlette, which replaces uvicorn's signal handler for the whole process when imported,
and runs four tasks a reader: docs/decisions/0033.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service_kit.access.lease import LEASE, Ending, Lease, LeaseOver
from service_kit.http.feed_documents import STREAM, reference
from service_kit.http.unsent import PROCESS

log = structlog.get_logger()

SEND_TIMEOUT_S = 30.0
"""Seconds within which a reader must take another part; then it is disconnected."""
PART_BYTES = 32 * 1024
"""Of an event that is sent at once: the connection's buffer holds no more of it."""
MEDIA_TYPE = "text/event-stream"
HEARTBEAT_COMMENT = b": ping\n"
"""A comment that shows the reader, and the proxies between, that the feed is alive.

No blank line is behind it: once an event with an `id` has come, httpx-sse makes an event of it.
"""
RECONNECT_MS_MIN, RECONNECT_MS_MAX = 1_000, 5_000
"""Between its end and the next try of whoever reads a feed: each is told another time, so that the
readers of a replica that stops do not come back all at once."""
NO_BUFFERING = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
"""Headers by which no proxy may hold events back, or keep them."""


def event(name: str, data: str | bytes, position: str) -> bytes:
    """An event on the wire; `data` is JSON, which has no line breaks."""
    body = data.encode() if isinstance(data, str) else data
    return b"event: %b\ndata: %b\nid: %b\n\n" % (name.encode(), body, position.encode())


Event = bytes | Sequence[bytes]
"""An event on the wire, whole or in pieces, which several feeds may share."""


NO_MORE: Event = [b"", b""]
"""Stands for the end of the events."""


def reconnect_field() -> bytes:
    """Tells a reader when to come back. It is part of the first event: no blank line is behind."""
    return b"retry: %d\n" % random.randint(RECONNECT_MS_MIN, RECONNECT_MS_MAX)  # noqa: S311


def end_event(ending: Ending) -> bytes:
    """The last event of a feed whose reader would not be let in any more.

    It has no position: who comes back with another token is sent what he missed.
    """
    return f'event: end\ndata: {{"reason":"{ending}"}}\n\n'.encode()


def event_of_pieces(name: str, data: Sequence[bytes], position: str) -> list[bytes]:
    """As `event`, with the data in pieces, none of which is copied."""
    head, tail = f"event: {name}\ndata: ".encode(), f"\nid: {position}\n\n".encode()
    return [head, *data, tail]


def events(feed: str, *example: bytes) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of a live route; `feed` is the schema of its events."""
    reconnect = b"retry: %d\n" % RECONNECT_MS_MIN
    sent = b"".join([reconnect, *example, end_event(Ending.EXPIRED)]).decode()
    schemas = {"schema": reference(STREAM), "x-itemSchema": reference(feed)}
    content = {MEDIA_TYPE: {**schemas, "example": sent}}
    return {200: {"description": "Server-Sent Events", "content": content}}


# decision/0033: batches, retries and live events are a few lines of our own
class EventStream(StreamingResponse):
    """Sends events as they come; None is a heartbeat. A reader that takes nothing is left.

    It ends when whoever asked for it would not be let in any more, and the last event says why.

    `first` is what was taken of the events before, so that a refusal could come in their place.

    Not by FastAPI's own streaming of what a route yields: there a client that goes away before it
    has read everything is an error, logged as ours.
    """

    media_type = MEDIA_TYPE

    def __init__(self, events: AsyncGenerator[Event | None], *first: Event | None) -> None:
        super().__init__(iter(()), headers=NO_BUFFERING)
        self._first = [*first]
        self._events = events
        self._lease = Lease()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for as long as the guard's lease lasts; where no guard is, without end.

        Raises TooManyFeeds before anything is sent.
        """
        take_lease = scope.get("state", {}).get(LEASE)
        async with contextlib.aclosing(self._events):
            with take_lease() if take_lease else contextlib.nullcontext(self._lease) as self._lease:
                await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send all events, and end the feed whatever happens."""
        async with contextlib.aclosing(self._events):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            try:
                await self._send_events(send)
            except _ReaderStalled:
                log.info("live reader takes nothing")
            else:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_events(self, send: Send) -> None:
        head = reconnect_field()
        while self._first:
            await _send_in_time(send, self._first.pop(0), head)
            head = b""
        try:
            while (each := await self._lease.next_of(self._events, NO_MORE)) is not NO_MORE:
                await _send_in_time(send, each, head)
                head = b""
                del each  # a feed may be quiet for long
        except LeaseOver as over:
            await _send_in_time(send, end_event(over.ending), head)


async def _send_in_time(send: Send, event: Event | None, head: bytes) -> None:
    """Send an event part by part, `head` before it.

    Raises _ReaderStalled if the reader takes no part in time.

    So it does if all feeds hold too much, and this one is closed for it.
    """
    pieces = [event or HEARTBEAT_COMMENT] if event is None or isinstance(event, bytes) else event
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S) as sending:

            def close() -> None:
                if not sending.expired():  # else the feed is about to end, and still counts
                    sending.reschedule(loop.time())

            held = PROCESS.account(close)
            try:
                held.hold(pieces)
                for part in _parts(pieces):
                    body = head + part
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                    head = b""
                    if not held.is_closed and not sending.expired():
                        sending.reschedule(loop.time() + SEND_TIMEOUT_S)
            finally:
                held.end()
    except TimeoutError:
        raise _ReaderStalled from None


def _parts(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """The pieces, joined and cut into parts of about `PART_BYTES`."""
    part: list[bytes] = []
    size_bytes = 0
    for piece in pieces:
        for start in range(0, len(piece), PART_BYTES):
            some = piece[start : start + PART_BYTES]
            part.append(some)
            size_bytes += len(some)
            if size_bytes >= PART_BYTES:
                yield b"".join(part)
                part, size_bytes = [], 0
    if part:
        yield b"".join(part)


class _ReaderStalled(Exception):
    pass
