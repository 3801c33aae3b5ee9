"""Compresses answers for those who ask for it: JSON from a size on, and never a feed.

Not by Starlette's middleware: it leaves a compressed answer the strong ETag of the plain one, which
RFC 9110 (section 8.8.3.3) forbids, and compresses what is sent again and again each time anew.
"""

import asyncio
import re
import zlib
from collections.abc import Iterable
from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

GZIP_BYTES_MIN = 1024
"""Less than that is a packet either way."""
LEVEL = 1
"""11 KB of orders: 115 µs for 1,320 bytes; 168 and 1,301 at level 4, 204 and 1,230 at 6."""
THREAD_BYTES_MIN = 128 * 1024
"""From which on others would feel it in the event loop."""
KEPT_BODIES_MAX = 64
"""Of answers that are sent to many, such as a board's: less than 8 MiB of them, because no body of
`THREAD_BYTES_MIN` is kept, and what they are compressed to."""
NOT_MODIFIED = 304
GZIP_WINDOW_BITS = 31
"""By which zlib writes gzip's format."""

MEDIA_TYPES = (b"application/json", b"application/problem+json")
ACCEPTED = re.compile(
    rb"(?:^|[,\s])gzip\s*(?:;\s*q=(?!0(?:\.0*)?(?:[,\s]|$))[\d.]+\s*)?(?:,|$)", re.IGNORECASE
)
TAG_SUFFIX = b"+gzip"
"""Of the ETag of a compressed answer, whose bytes are others. Clients send it back with it."""
CONDITIONS = frozenset({b"if-match", b"if-none-match", b"last-event-id"})
ASK_AGAIN = b"no-cache"
"""The `Cache-Control` of answers without guests' data, which are asked for again and again."""

VARY = (b"vary", b"Accept-Encoding")

RawHeaders = list[tuple[bytes, bytes]]


class Gzip:
    """ASGI middleware that compresses the answers to GET, and knows the tags of those it sent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        accepts, compressed_tags = _seen_in(scope)
        if compressed_tags:
            scope = {**scope, "headers": list(_plain_tags(scope["headers"]))}
        held: Message | None = None

        async def send_compressed(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                message["headers"] = headers = [*message.get("headers", ())]
                if message["status"] == NOT_MODIFIED:
                    headers.append(VARY)
                    _mark_tag(headers, compressed_tags)
                elif _is_worth_it(headers) and accepts:
                    held = message
                    return
            elif held is not None:
                start, held = held, None
                if not message.get("more_body", False):
                    message["body"] = await _compressed(start["headers"], message["body"])
                await send(start)
            await send(message)

        await self.app(scope, receive, send_compressed)


def _seen_in(scope: Scope) -> tuple[bool, bytes]:
    """Whether the client takes gzip, and its conditions that have the tag of a compressed answer.

    A field that comes in several lines is one list (RFC 9110, section 5.3).
    """
    codings, compressed_tags = b"", b""
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            codings += b"," + value
        elif name in CONDITIONS and TAG_SUFFIX in value:
            compressed_tags += b"," + value
    return scope["method"] == "GET" and ACCEPTED.search(codings) is not None, compressed_tags


def _is_worth_it(headers: RawHeaders) -> bool:
    """Whether the answer is compressed for who asks; if it could be, it says that it varies."""
    found = dict(headers)
    if not found.get(b"content-type", b"").startswith(MEDIA_TYPES):
        return False
    headers.append(VARY)
    is_long = int(found.get(b"content-length", 0)) >= GZIP_BYTES_MIN
    return is_long and b"content-encoding" not in found


def _plain_tags(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    for name, value in headers:
        yield name, value.replace(TAG_SUFFIX, b"") if name in CONDITIONS else value


def _mark_tag(headers: RawHeaders, known: bytes | None = None) -> None:
    """Have a strong tag be that of the compressed answer; with `known` only if that names it."""
    for index, (name, value) in enumerate(headers):
        if name == b"etag" and value.startswith(b'"'):
            marked = value[:-1] + TAG_SUFFIX + b'"'
            if known is None or marked in known:
                headers[index] = name, marked


async def _compressed(headers: RawHeaders, body: bytes) -> bytes:
    """The body compressed, and the headers changed accordingly."""
    if len(body) >= THREAD_BYTES_MIN:
        small = await asyncio.to_thread(_gzip, body)
    elif _is_asked_for_again(headers):
        small = _kept_compressed(body)
    else:
        small = _gzip(body)
    _mark_tag(headers)
    headers[:] = [each for each in headers if each[0] != b"content-length"]
    headers += [
        (b"content-length", str(len(small)).encode()),
        (b"content-encoding", b"gzip"),
    ]
    return small


def _is_asked_for_again(headers: RawHeaders) -> bool:
    """Whether many are sent these bytes; behind a weak tag each answer has others."""
    found = dict(headers)
    return found.get(b"cache-control") == ASK_AGAIN and found.get(b"etag", b"").startswith(b'"')


def _gzip(body: bytes) -> bytes:
    return zlib.compress(body, LEVEL, wbits=GZIP_WINDOW_BITS)


_kept_compressed = lru_cache(KEPT_BODIES_MAX)(_gzip)
