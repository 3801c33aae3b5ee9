"""The bookmark in TICKETS: up to where the queues are known, so that no replica reads it all again.

A ticket is what its last message says. So the messages that left the open tickets as they are, and
all that come after them, make the same queues as the whole stream: a bookmark names those messages
and holds nothing of what is in them. It is kept in a bucket of JetStream's key-value store.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Literal

from comanda_contracts.streams import TICKETS
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from service_kit.runtime.components import Ready

BUCKET = "serving"
KEY = "bookmark"
STREAM_OF_BUCKET = f"KV_{BUCKET}"

EVERY = 5_000
"""Messages after which the bookmark is moved on: a replica that starts reads about so many."""
LOOK_EVERY = 1.0
"""Seconds between two looks at whether that is so."""
AT_ONCE = 256
"""Open tickets that are asked for at a time."""


class Bookmark(BaseModel):
    """What is to be read instead of the messages up to `sequence`.

    `message_id` names the message there: a stream that was made anew, or has lost what it had
    acknowledged, has another one in its place, or none. `open` are the sequences of the messages
    that left the open tickets as they are. Another format is another choice of what is open.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    sequence: int = Field(ge=1)
    message_id: str = Field(min_length=1)
    open: tuple[int, ...]


class Unusable(Exception):
    """There is no bookmark that fits the stream; its text says why."""


async def set_up_bookmarks(js: JetStreamContext, *, replicas: int) -> None:
    """Create the bucket, or bring an existing one to this number of copies."""
    try:
        config = (await js.stream_info(STREAM_OF_BUCKET)).config
    except NotFoundError:
        await js.create_key_value(api.KeyValueConfig(bucket=BUCKET, replicas=replicas))
    else:
        await js.update_stream(config.evolve(num_replicas=replicas))


async def latest(js: JetStreamContext) -> Bookmark:
    """The bookmark. Raises Unusable."""
    try:
        bucket = await js.key_value(BUCKET)
        return await _checked(js, await bucket.get(KEY))
    except NatsError as error:
        raise _unusable(error) from error


async def open_tickets(js: JetStreamContext, bookmark: Bookmark) -> list[api.RawStreamMsg]:
    """The messages that left the open tickets as they are. Raises Unusable if one is missing."""
    found: list[api.RawStreamMsg] = []
    try:
        for first in range(0, len(bookmark.open), AT_ONCE):
            some = bookmark.open[first : first + AT_ONCE]
            found += await asyncio.gather(*(_message(js, sequence) for sequence in some))
    except NatsError as error:
        raise _unusable(error) from error
    return found


async def keep_bookmark(
    js: JetStreamContext, current: Callable[[], Bookmark | None], ready: Ready
) -> None:
    """Move the bookmark on as the queues go on, until cancelled; any number of replicas may.

    `current` is what the bookmark could be now. Raises if it can't be stored: start it again.
    """
    bucket = await js.key_value(BUCKET)
    reached = 0
    while True:
        bookmark = current()
        if bookmark and not reached <= bookmark.sequence < reached + EVERY:
            reached = await _move(js, bucket, bookmark)
        ready()
        await asyncio.sleep(LOOK_EVERY)


async def _move(js: JetStreamContext, bucket: KeyValue, bookmark: Bookmark) -> int:
    """Store the bookmark, unless a replica has been about as far. Returns how far that is."""
    revision = 0
    with contextlib.suppress(KeyNotFoundError, Unusable):
        entry = await bucket.get(KEY)
        revision = entry.revision or 0
        stored = await _checked(js, entry)
        if bookmark.sequence < stored.sequence + EVERY:
            return stored.sequence
    with contextlib.suppress(KeyWrongLastSequenceError):  # a replica was faster
        await bucket.update(KEY, bookmark.model_dump_json().encode(), last=revision)
    return bookmark.sequence


async def _checked(js: JetStreamContext, entry: KeyValue.Entry) -> Bookmark:
    """The bookmark in the entry. Raises Unusable if it is none, or of another stream."""
    try:
        bookmark = Bookmark.model_validate_json(entry.value or b"")
        message = await _message(js, bookmark.sequence)
    except (ValidationError, NotFoundError) as error:
        raise _unusable(error) from error
    if (message.headers or {}).get(api.Header.MSG_ID.value) != bookmark.message_id:
        raise Unusable("it was set in another stream")
    return bookmark


async def _message(js: JetStreamContext, sequence: int) -> api.RawStreamMsg:
    return await js.get_msg(TICKETS.name, seq=sequence, direct=True)


def _unusable(error: Exception) -> Unusable:
    return Unusable(f"{type(error).__name__}: {error}")
