"""The bookmark in TICKETS, which saves a replica that starts from reading the whole stream.

A ticket is what its last message says. So the last messages of the tickets that are open at a
sequence, and all messages after that sequence, make the same queues as the whole stream. A bookmark
names the sequence and those messages, and holds nothing of what is in them. It is kept in a bucket
of JetStream's key-value store.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Literal
from uuid import uuid4

from comanda_contracts.streams import TICKETS
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from service_kit.nats.leader import asking_leader_of
from service_kit.runtime.components import Ready

BUCKET = "serving"
KEY = "bookmark"
STREAM_OF_BUCKET = f"KV_{BUCKET}"

PART_TICKETS = 50_000
"""Open tickets in one message at the most: a sequence has a dozen digits in a stream of years."""
BOOKMARK_INTERVAL_MESSAGES = 5_000
"""Messages from one bookmark to the next: a replica that starts reads about so many."""
RENEWAL_INTERVAL_S = 60.0
"""Seconds after which it is looked whether the bookmark fits still: a guest may be forgotten."""
CHECK_INTERVAL_S = 1.0
"""Seconds between two checks of whether the next bookmark is due."""
LOAD_BATCH_TICKETS = 256
"""Open tickets that are loaded at the same time."""


# decision/0017: serving starts from a bookmark, not from a snapshot
class Bookmark(BaseModel):
    """Stands for the messages up to `sequence`: only those with a sequence in `open` are read.

    `open` holds the sequence of the last message of each ticket that is open there. `message_id` is
    that of the message at `sequence`: a stream that was made anew, or has lost what it had
    acknowledged, has another message in its place, or none. `format` changes with the rule of
    which tickets are open.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1, 2] = 1
    sequence: int = Field(ge=1)
    message_id: str = Field(min_length=1)
    open: tuple[int, ...]
    parts: tuple[str, ...] = ()
    """Keys of further sequences, where they are too many for one message: of format 2."""


_SEQUENCES = TypeAdapter(tuple[int, ...])


class UnusableBookmark(Exception):
    """There is no bookmark, or it does not fit the stream; the text says why."""


async def set_up_bookmarks(js: JetStreamContext, *, replicas: int) -> None:
    """Create the bucket; raise the number of replicas of one that exists, if it has fewer."""
    try:
        config = (await js.stream_info(STREAM_OF_BUCKET)).config
    except NotFoundError:
        await js.create_key_value(api.KeyValueConfig(bucket=BUCKET, replicas=replicas))
        return
    if (config.num_replicas or 1) < replicas:
        await js.update_stream(config.evolve(num_replicas=replicas))


async def load_bookmark(js: JetStreamContext) -> Bookmark:
    """The bookmark in the bucket. Raises UnusableBookmark."""
    try:
        bucket = await js.key_value(BUCKET)
        return await _whole(bucket, await _checked(js, await bucket.get(KEY)))
    except (NatsError, ValidationError) as error:
        raise _unusable(error) from error


async def load_open_tickets(js: JetStreamContext, bookmark: Bookmark) -> list[api.RawStreamMsg]:
    """The last message of each open ticket. Raises UnusableBookmark if one has left the stream.

    One that was taken out of its middle is left out: the guest is forgotten, and what the ticket
    is now came after the bookmark.
    """
    messages: list[api.RawStreamMsg] = []
    try:
        first_there = (await js.stream_info(TICKETS.name)).state.first_seq
        for first in range(0, len(bookmark.open), LOAD_BATCH_TICKETS):
            batch = bookmark.open[first : first + LOAD_BATCH_TICKETS]
            found = await asyncio.gather(*(_open_ticket(js, each, first_there) for each in batch))
            messages += filter(None, found)
    except NatsError as error:
        raise _unusable(error) from error
    return messages


async def _open_ticket(
    js: JetStreamContext, sequence: int, first_there: int
) -> api.RawStreamMsg | None:
    try:
        return await _message(js, sequence)
    except NotFoundError:
        if sequence < first_there:
            raise
        return None


async def keep_bookmark(
    js: JetStreamContext, current: Callable[[], Bookmark | None], ready: Ready
) -> None:
    """Set a new bookmark every `BOOKMARK_INTERVAL_MESSAGES` messages, until cancelled.

    `current` returns the bookmark that could be set now, or None. Any number of replicas may run
    this at the same time. Raises if the bucket can't be reached: call it again.
    """
    with asking_leader_of(STREAM_OF_BUCKET):
        bucket = await js.key_value(BUCKET)
    last_sequence, looked_at_s = 0, time.monotonic()
    while True:
        bookmark, now_s = current(), time.monotonic()
        is_old = now_s - looked_at_s > RENEWAL_INTERVAL_S
        if bookmark and (is_old or _is_due(bookmark, last_sequence)):
            with asking_leader_of(STREAM_OF_BUCKET):
                last_sequence = await _set(js, bucket, bookmark)
            looked_at_s = now_s
        ready()
        await asyncio.sleep(CHECK_INTERVAL_S)


def _is_due(bookmark: Bookmark, last_sequence: int) -> bool:
    """Whether it is time to replace the bookmark at `last_sequence`.

    A sequence lower than that one is of a stream that was made anew.
    """
    return not 0 <= bookmark.sequence - last_sequence < BOOKMARK_INTERVAL_MESSAGES


async def _set(js: JetStreamContext, bucket: KeyValue, bookmark: Bookmark) -> int:
    """Store the bookmark, unless a replica has stored one that is not much older.

    Returns the sequence of the bookmark that is stored then.
    """
    revision = 0
    no_more: tuple[str, ...] = ()
    with contextlib.suppress(KeyNotFoundError, UnusableBookmark):
        entry = await bucket.get(KEY)
        revision, no_more = entry.revision or 0, _parts_of(entry)
        stored = await _checked(js, entry)
        if bookmark.sequence < stored.sequence + BOOKMARK_INTERVAL_MESSAGES:
            return stored.sequence
    sliced = await _sliced(bucket, bookmark)
    try:
        await bucket.update(KEY, sliced.model_dump_json().encode(), last=revision)
    except KeyWrongLastSequenceError:  # a replica was faster
        no_more = sliced.parts
    for key in no_more:
        await bucket.purge(key)
    return bookmark.sequence


async def _sliced(bucket: KeyValue, bookmark: Bookmark) -> Bookmark:
    """The bookmark with what is too much for one message in parts, which are stored."""
    if len(bookmark.open) <= PART_TICKETS:
        return bookmark
    name, parts = uuid4().hex, []
    for first in range(PART_TICKETS, len(bookmark.open), PART_TICKETS):
        parts.append(f"part.{name}.{first}")
        part = bookmark.open[first : first + PART_TICKETS]
        await bucket.put(parts[-1], _SEQUENCES.dump_json(part))
    first_part = {"open": bookmark.open[:PART_TICKETS], "parts": tuple(parts), "format": 2}
    return bookmark.model_copy(update=first_part)


async def _whole(bucket: KeyValue, bookmark: Bookmark) -> Bookmark:
    """The bookmark with what is in its parts. Raises NotFoundError if one is missing."""
    sequences = list(bookmark.open)
    for key in bookmark.parts:
        sequences += _SEQUENCES.validate_json((await bucket.get(key)).value or b"")
    return bookmark.model_copy(update={"open": tuple(sequences), "parts": (), "format": 1})


def _parts_of(entry: KeyValue.Entry) -> tuple[str, ...]:
    """The keys of the parts of a bookmark that may not fit the stream any more."""
    with contextlib.suppress(ValidationError):
        return Bookmark.model_validate_json(entry.value or b"").parts
    return ()


async def _checked(js: JetStreamContext, entry: KeyValue.Entry) -> Bookmark:
    """The bookmark in the entry. Raises UnusableBookmark if it can't be read or does not fit."""
    try:
        bookmark = Bookmark.model_validate_json(entry.value or b"")
        message = await _message(js, bookmark.sequence)
    except (ValidationError, NotFoundError) as error:
        raise _unusable(error) from error
    if (message.headers or {}).get(api.Header.MSG_ID.value) != bookmark.message_id:
        raise UnusableBookmark("it was set in another stream")
    return bookmark


async def _message(js: JetStreamContext, sequence: int) -> api.RawStreamMsg:
    return await js.get_msg(TICKETS.name, seq=sequence)  # a direct get the archive may answer


def _unusable(error: Exception) -> UnusableBookmark:
    return UnusableBookmark(f"{type(error).__name__}: {error}")
