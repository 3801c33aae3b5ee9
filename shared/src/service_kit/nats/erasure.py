"""Erases messages for good: overwritten in a stream and in its archive, and among dead letters.

Deletes in a stream do not travel to its archive, so a message is deleted in both; and either may be
an older copy that was restored, which has what the other is rid of.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import nats.errors
from comanda_contracts import OrderForgotten, Unreadable, read
from comanda_contracts.streams import Archive, Stream, archive_of
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from service_kit.nats.jetstream import jetstream
from service_kit.nats.letter_box import Letter, discard, letters
from service_kit.nats.past import SEQUENCE_HEADER, archived_messages, is_about
from service_kit.nats.subscriber import read_event

ARCHIVE_LAG_MAX_S = 5.0
"""Seconds for which an archive is waited for."""
LOOK_INTERVAL_S = 0.1
CLOCKS_DIFFER_BY_MAX = timedelta(hours=1)
NOT_DELETED = 10057
"""Error code of JetStream: also of a message that is not there."""


class ArchiveBehind(nats.errors.Error):
    """The archive has not taken in yet what is to be erased: it would come into it afterwards."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is about one order, in a stream and its archive."""

    stream: Stream
    subject: str
    """Of its messages in the stream."""
    archived_subject: str
    """Of all its restaurant's messages in the archive."""
    order_id: str
    placed_at: datetime
    """When, by the clock of the service that took it; its messages are stored by another's."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it is stored; its sequence is the same in a stream and in its archive."""

    sequence: int
    headers: dict[str, str] = field(default_factory=dict, compare=False)
    """An archive's have some of their own."""
    body: bytes = b""


# decision/0077: a guest is forgotten
async def messages_before(client: Client, scope: Scope, sequence: int) -> list[StoredMessage]:
    """The messages that came before this sequence, the oldest first; of the archive, too.

    Of that only what has left the stream is gone through, unless the stream lacks how it began:
    then something was erased in it, and the archive may have it still, or again.

    Raises ArchiveBehind if the archive may be given some of them later, nats.errors.Error.
    """
    js = jetstream(client)
    archive = await _archive(js, scope.stream)
    if archive is None:
        return await _on_stream(js, scope, sequence)
    await _until_archived(js, archive, sequence)
    hot = await _on_stream(js, scope, sequence)
    first = (await js.stream_info(scope.stream.name)).state.first_seq
    is_untouched = any(map(_is_first_version, hot))
    past = await _in_archive(
        client, archive, scope, min(first, sequence) if is_untouched else sequence
    )
    return [each for each in past if each not in hot] + hot


async def erase(client: Client, stream: Stream, messages: Sequence[StoredMessage]) -> None:
    """Overwrite these messages, wherever they are. Safe to repeat. Raises nats.errors.Error.

    The archive comes first: as long as the stream has how something began, no more of the archive
    is gone through than what has left the stream. What is another message there stays: a stream
    and an archive of two backups have different ones at one sequence.
    """
    js = jetstream(client)
    archive = await _archive(js, stream)
    for name in [*([archive.name] if archive else []), stream.name]:
        for message in messages:
            await _delete(js, name, message)


async def erase_letters(client: Client, service: str, is_meant: Callable[[Letter], bool]) -> int:
    """Overwrite those of the service's dead letters that are meant. Returns how many it were."""
    js, erased = jetstream(client), 0
    async for letter in letters(js, service):
        if is_meant(letter):
            await discard(js, letter)
            erased += 1
    return erased


def read_forgotten(message: Msg) -> OrderForgotten:
    """The event in a message. Raises Unreadable if it is another."""
    event = read_event(message)
    if not isinstance(event, OrderForgotten):
        raise Unreadable(f"{event.TYPE} does not belong on {message.subject}")
    return event


def mentions(letter: Letter, text: str) -> bool:
    """Whether the text stands anywhere in a letter, such as an order's id."""
    return text.encode() in letter.body or any(text in each for each in letter.headers.values())


async def _archive(js: JetStreamContext, stream: Stream) -> Archive | None:
    """The archive of a stream, if there is one by now."""
    archive = archive_of(stream)
    if archive is None:
        return None
    try:
        await js.stream_info(archive.name)
    except NotFoundError:
        return None
    return archive


async def _until_archived(js: JetStreamContext, archive: Archive, sequence: int) -> None:
    deadline = asyncio.get_running_loop().time() + ARCHIVE_LAG_MAX_S
    while (end := (await js.stream_info(archive.name)).state.last_seq) < sequence - 1:
        if asyncio.get_running_loop().time() > deadline:
            raise ArchiveBehind(f"{archive.name} ends at {end}, and is to have {sequence - 1}")
        await asyncio.sleep(LOOK_INTERVAL_S)


async def _on_stream(js: JetStreamContext, scope: Scope, until: int) -> list[StoredMessage]:
    found: list[StoredMessage] = []
    sequence = 0
    while True:
        try:
            message = await js.get_msg(
                scope.stream.name, sequence + 1, subject=scope.subject, next=True
            )
        except NotFoundError:
            return found
        sequence = message.seq or sequence + 1
        if sequence >= until:
            return found
        found.append(StoredMessage(sequence, _texts(message.headers), message.data or b""))


async def _in_archive(
    client: Client, archive: Archive, scope: Scope, until: int
) -> list[StoredMessage]:
    """What has left the stream; the archive is gone through from the scope's time on."""
    past = archived_messages(
        client,
        archive,
        scope.archived_subject,
        since=scope.placed_at - CLOCKS_DIFFER_BY_MAX,
        until=until - 1,
    )
    return [
        StoredMessage(int(_texts(each.headers)[SEQUENCE_HEADER]), _texts(each.headers), each.data)
        async for each in past
        if is_about(each, scope.order_id)
    ]


async def _delete(js: JetStreamContext, stream: str, message: StoredMessage) -> None:
    if not await _is_there(js, stream, message):
        return
    try:
        await js.delete_msg(stream, message.sequence)  # it overwrites, unless it is told not to
    except APIError as error:
        if error.err_code != NOT_DELETED or await _is_there(js, stream, message):
            raise


async def _is_there(js: JetStreamContext, stream: str, message: StoredMessage) -> bool:
    try:
        found = await js.get_msg(stream, message.sequence)
    except NotFoundError:
        return False
    return (found.data or b"") == message.body


def _is_first_version(message: StoredMessage) -> bool:
    try:
        return read(message.headers, message.body).state.version == 1
    except Unreadable:
        return False


def _texts(headers: Any) -> dict[str, str]:
    """The headers; of one that is not ASCII the client may make an object."""
    return {name: str(text) for name, text in (headers or {}).items()}
