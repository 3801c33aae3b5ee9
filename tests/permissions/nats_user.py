"""Somebody at the NATS server: what it asks, and whether it may."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import nats
from comanda_local.servers import Nats
from nats.aio.client import Client

WITHIN = 10.0
"""Seconds in which the server says no."""


class NatsUser:
    """A user's connection, which remembers what the server forbade."""

    def __init__(self) -> None:
        self.client = Client()
        self._forbidden: asyncio.Queue[str] = asyncio.Queue()

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, server: Nats, user: str, inbox: str) -> "AsyncIterator[NatsUser]":
        connection = cls()
        connection.client = await nats.connect(
            **server.login_of(user), inbox_prefix=inbox, error_cb=connection.hear
        )
        try:
            yield connection
        finally:
            await connection.client.close()

    async def hear(self, error: Exception) -> None:
        if "permissions violation" in str(error):
            self._forbidden.put_nowait(str(error))

    async def may_publish(self, subject: str, body: bytes = b"") -> bool:
        await self.client.publish(subject, body)
        return not await self.was_forbidden()

    async def may_subscribe(self, subject: str) -> bool:
        subscription = await self.client.subscribe(subject)
        forbidden = await self.was_forbidden()
        if not forbidden:
            await subscription.unsubscribe()
        return not forbidden

    async def ask(self, request: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer of JetStream's API; None if there is nobody to ask, or it is forbidden."""
        inbox = self.client.new_inbox()
        answers = await self.client.subscribe(inbox)
        await self.client.publish(request, json.dumps(body or {}).encode(), reply=inbox)
        if await self.was_forbidden():
            return None
        message = await answers.next_msg(timeout=WITHIN)
        if (message.headers or {}).get("Status") == "503":
            return None
        return json.loads(message.data)

    async def was_forbidden(self) -> bool:
        """Whether the server forbade anything that was sent so far."""
        for _ in range(2):  # the first one's ping overtakes what was sent before it
            await self.client.flush(int(WITHIN))
        forbidden = not self._forbidden.empty()
        self._forbidden = asyncio.Queue()
        return forbidden
