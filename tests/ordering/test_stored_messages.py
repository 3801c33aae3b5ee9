"""Asking a stream for the messages that it has, without more on the way than a server holds."""

import asyncio
import base64
from typing import Any, cast

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from ordering.outbound.relay.stored_messages import ASKED_MAX, message_ids

ASKED = 5 * ASKED_MAX


class Leader:
    """Answers as a stream's leader does, and counts the answers that are on the way at once."""

    def __init__(self) -> None:
        self.options = {"user": None}
        self._on_the_way = 0
        self.most = 0

    async def request(self, subject: str, payload: bytes, timeout: float) -> Msg:
        self._on_the_way += 1
        self.most = max(self.most, self._on_the_way)
        await asyncio.sleep(0)
        self._on_the_way -= 1
        headers = b"NATS/1.0\r\nNats-Msg-Id: %d\r\n\r\n" % orjson.loads(payload)["seq"]
        answer = {"message": {"hdrs": base64.b64encode(headers).decode()}}
        return Msg(cast("Any", None), subject, data=orjson.dumps(answer))


async def test_no_more_messages_are_on_the_way_at_once_than_a_server_holds() -> None:
    leader = Leader()

    found = await message_ids(cast("Client", leader), "ORDERS", range(ASKED))

    assert found == [str(number) for number in range(ASKED)]
    assert leader.most == ASKED_MAX
