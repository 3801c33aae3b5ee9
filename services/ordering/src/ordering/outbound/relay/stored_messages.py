"""The messages that a stream has: at given sequences, or the newest of given subjects."""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import orjson
from nats.aio.client import Client
from nats.js.errors import APIError, NotFoundError
from service_kit.nats.jetstream import api_prefix
from service_kit.nats.leader import asking_leader_of

ANSWER_TIMEOUT_S = 5.0
"""Seconds in which the leader of a stream answers."""

ASKED_MAX = 32
"""Messages that are asked for at once: they come whole, and a server ends a connection on which
more than 64 MB wait. Of the largest, a third larger in base64, this is less than 50 MB."""

NO_MESSAGE = 10037
"""The error of a stream that has no message at a sequence."""

Asked = TypeVar("Asked")
Found = TypeVar("Found")

MESSAGE_ID = re.compile(rb"^Nats-Msg-Id: *(.*?)\r?$", re.MULTILINE)


class StoredMessage(NamedTuple):
    """A message of the stream: its place, its `Nats-Msg-Id` if it has one, and its body."""

    sequence: int
    message_id: str | None
    body: bytes


async def message_ids(client: Client, stream: str, sequences: Iterable[int]) -> list[str | None]:
    """The `Nats-Msg-Id` at each of the sequences; None where there is no message, or one without.

    The stream's leader is asked, since others may show what is not there any more. Raises
    LeaderSilent, or the error that the leader answers with.
    """

    async def ask(sequence: int) -> str | None:
        found = await _message(client, stream, {"seq": sequence})
        return _message_id(found) if found else None

    return await _each(stream, sequences, ask)


async def newest_messages(
    client: Client, stream: str, subjects: Iterable[str]
) -> list[StoredMessage | None]:
    """The newest message of each of the subjects, as the leader has it; None of one without.

    Raises as `message_ids` does.
    """

    async def ask(subject: str) -> StoredMessage | None:
        found = await _message(client, stream, {"last_by_subj": subject})
        if found is None:
            return None
        body = base64.b64decode(found.get("data", ""))
        return StoredMessage(found["seq"], _message_id(found), body)

    return await _each(stream, subjects, ask)


async def _each(
    stream: str, asked: Iterable[Asked], ask: Callable[[Asked], Awaitable[Found]]
) -> list[Found]:
    free = asyncio.Semaphore(ASKED_MAX)

    async def in_turn(each: Asked) -> Found:
        async with free:
            return await ask(each)

    with asking_leader_of(stream):
        return await asyncio.gather(*map(in_turn, asked))


async def _message(client: Client, stream: str, which: dict[str, Any]) -> Any | None:
    subject = f"{api_prefix(client)}.STREAM.MSG.GET.{stream}"
    reply = await client.request(subject, orjson.dumps(which), ANSWER_TIMEOUT_S)
    answer = orjson.loads(reply.data)
    if "error" in answer:
        try:
            raise APIError.from_error(answer["error"])
        except NotFoundError as error:
            if error.err_code != NO_MESSAGE:
                raise
            return None
    return answer["message"]


def _message_id(message: Any) -> str | None:
    headers = base64.b64decode(message.get("hdrs", ""))
    found = MESSAGE_ID.search(headers)
    return found[1].decode(errors="replace") if found else None
