"""The messages that a stream has at given sequences: known by their ids."""

import asyncio
import base64
import re
from collections.abc import Iterable

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

MESSAGE_ID = re.compile(rb"^Nats-Msg-Id: *(.*?)\r?$", re.MULTILINE)


async def message_ids(client: Client, stream: str, sequences: Iterable[int]) -> list[str | None]:
    """The `Nats-Msg-Id` at each of the sequences; None where there is no message, or one without.

    The stream's leader is asked, since others may show what is not there any more. Raises
    LeaderSilent, or the error that the leader answers with.
    """
    free = asyncio.Semaphore(ASKED_MAX)

    async def ask(sequence: int) -> str | None:
        async with free:
            return await _message_id(client, stream, sequence)

    with asking_leader_of(stream):
        return await asyncio.gather(*map(ask, sequences))


async def _message_id(client: Client, stream: str, sequence: int) -> str | None:
    subject = f"{api_prefix(client)}.STREAM.MSG.GET.{stream}"
    reply = await client.request(subject, b'{"seq":%d}' % sequence, ANSWER_TIMEOUT_S)
    answer = orjson.loads(reply.data)
    if "error" in answer:
        try:
            raise APIError.from_error(answer["error"])
        except NotFoundError as error:
            if error.err_code != NO_MESSAGE:
                raise
            return None
    headers = base64.b64decode(answer["message"].get("hdrs", ""))
    found = MESSAGE_ID.search(headers)
    return found[1].decode(errors="replace") if found else None
