"""Reads a stream and its archive as one: what has left the stream is in the archive."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from comanda_contracts.streams import Archive, Stream, archive_of
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from service_kit.nats.jetstream import api_prefix

BATCH_MESSAGES = 500
BATCH_BYTES = 4 * 1024 * 1024
SILENCE_TIMEOUT_S = 2.0
"""Seconds without an answer after which the server counts as gone."""
ARCHIVE_LAG_MAX_S = 5.0
"""Seconds for which an archive is waited for that lacks what has left the stream just now."""
LOOK_INTERVAL_S = 0.1
ANSWERS_MAX = 20
"""Direct gets in a row that something else than the stream may answer."""
STREAM_HEADER = "Nats-Stream"
"""The stream that answered."""
SEQUENCE_HEADER, SUBJECT_HEADER = "Nats-Sequence", "Nats-Subject"


@dataclass(frozen=True, slots=True)
class Part:
    """Where to read on, up to which sequence; sequences are the same in a stream and its archive.

    Of an archive that is all that has left the stream; what has left neither is in both.
    """

    stream: Stream
    until: int


async def part_after(js: JetStreamContext, stream: Stream, position: int, until: int) -> Part:
    """Where the messages after the sequence `position` are.

    What neither has any more is passed over: the archive begins later, was made later, or fell
    behind. Raises nats.errors.Error.
    """
    first = (await js.stream_info(stream.name)).state.first_seq
    archive = archive_of(stream)
    if archive is None or position + 1 >= first:
        return Part(stream, until)
    end = min(until, first - 1)
    archived = await _last_archived(js, archive, end)
    return Part(archive, min(end, archived)) if archived > position else Part(stream, until)


async def archived_messages(
    client: Client, archive: Archive, subject: str, *, since: datetime | None, until: int
) -> AsyncGenerator[Msg, None]:
    """The messages on a subject of an archive, from a time on and up to a sequence.

    The subject may have wildcards. By direct gets, without a consumer. Raises nats.errors.Error.
    """
    begin: dict[str, Any] = {"seq": 1} if since is None else {"start_time": since.isoformat()}
    while messages := await direct_batch(client, archive, {**begin, "next_by_subj": subject}):
        for message in messages:
            sequence = int((message.headers or {})[SEQUENCE_HEADER])
            if sequence > until:
                return
            yield message
        begin = {"seq": sequence + 1}


def is_about(message: Msg, order_id: str) -> bool:
    """Whether a message of an order or a ticket is about this order."""
    return order_id in str((message.headers or {}).get("ce-subject", "")).split("/")


async def direct_batch(client: Client, stream: Stream, request: dict[str, Any]) -> list[Msg]:
    """Messages by a direct get, with their sequences in a header; none if none fits.

    A replica answers, which may be behind the leader. So does an archive, for the stream that it is
    a mirror of, as often as the stream itself; but its messages have other subjects, so the stream
    is asked again. Raises nats.errors.Error.
    """
    for _ in range(ANSWERS_MAX):
        messages = await _direct_batch(client, stream, request)
        if all((each.headers or {}).get(STREAM_HEADER) == stream.name for each in messages):
            return messages
    return []


async def _direct_batch(client: Client, stream: Stream, request: dict[str, Any]) -> list[Msg]:
    batch: asyncio.Queue[Msg] = asyncio.Queue()
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=batch.put)
    wanted = json.dumps({**request, "batch": BATCH_MESSAGES, "max_bytes": BATCH_BYTES}).encode()
    messages: list[Msg] = []
    try:
        await client.publish(f"{api_prefix(client)}.DIRECT.GET.{stream.name}", wanted, inbox)
        while True:
            async with asyncio.timeout(SILENCE_TIMEOUT_S):
                message = await batch.get()
            if api.Header.STATUS in (message.headers or {}):  # the end, or there is nothing
                return messages
            messages.append(message)
    except TimeoutError as error:
        raise NatsError(f"no messages from {stream.name}") from error
    finally:
        with contextlib.suppress(NatsError):
            await subscription.unsubscribe()


async def _last_archived(js: JetStreamContext, archive: Archive, wanted: int) -> int:
    """How far the archive goes, waited for a little if that is less than is wanted; 0: nowhere."""
    deadline = asyncio.get_running_loop().time() + ARCHIVE_LAG_MAX_S
    while True:
        try:
            last = (await js.stream_info(archive.name)).state.last_seq
        except NotFoundError:
            return 0
        if last >= wanted or asyncio.get_running_loop().time() > deadline:
            return last
        await asyncio.sleep(LOOK_INTERVAL_S)
