"""Messages of a durable consumer as they come: a request stands until it has brought many."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import api
from nats.js.errors import APIError

from service_kit.nats.jetstream import api_prefix

MESSAGES_MAX = 500
"""Messages that are handed over at once, or are on their way, at most."""
BYTES_MAX = 8 * 1024 * 1024
"""What one request brings at most: large messages are taken fewer at a time."""
EXPIRES_S = 2.0
"""Seconds after which a request is made anew; a lost one, too, by a consumer that hears nothing."""
PENDING = "Nats-Pending-Messages"
"""What a request that ended says it did not bring."""
USED_UP = frozenset({"Batch Completed", "Message Size Exceeds MaxBytes"})
"""What a request is ended with, by status 409, that has brought all that it may: of messages, or of
bytes.
"""
ACKNOWLEDGEMENT = "$JS.ACK."
"""Where a message of the stream is acknowledged, which the server's own answers have no use for.

A publisher may give a message a status, too.
"""
ENDED = frozenset({api.StatusCode.NO_MESSAGES, api.StatusCode.REQUEST_TIMEOUT})


class Pull:
    """What a consumer has for us. Use it as a context manager; leave it to give back the rest.

    The client library's `fetch` asks twice for each message that comes alone.
    """

    def __init__(self, client: Client, stream: str, durable: str) -> None:
        self._client = client
        self._subject = f"{api_prefix(client)}.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._inbox = client.new_inbox()
        self._come: list[Msg] = []
        self._failure: Msg | None = None
        self._owed = 0
        self._heard = asyncio.Event()
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> "Pull":
        self._subscription = await self._client.subscribe(self._inbox, cb=self._hear)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give what was not taken to whoever goes on."""
        with contextlib.suppress(Exception):  # without a connection it comes again by itself
            async with asyncio.timeout(EXPIRES_S):
                if self._subscription:
                    await self._subscription.drain()  # type: ignore[no-untyped-call]
                for message in self._come:
                    await message.nak()

    async def take(self) -> list[Msg]:
        """What has come, at most `MESSAGES_MAX`; waits until something has. Raises APIError."""
        while not self._come:
            if self._failure:
                APIError.from_msg(self._failure)
            self._heard.clear()  # before asking: a message may come while the request is sent
            await self._ask()
            try:
                async with asyncio.timeout(EXPIRES_S + 1):
                    await self._heard.wait()
            except TimeoutError:
                self._owed = 0
        taken, self._come = self._come[:MESSAGES_MAX], self._come[MESSAGES_MAX:]
        await self._ask()
        return taken

    @property
    def is_backlog(self) -> bool:
        """Whether so many have come that more than what was just published is waiting."""
        return len(self._come) >= MESSAGES_MAX // 2

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until it holds, which is looked at whenever something comes or `look` is called."""
        while not holds():
            self._heard.clear()
            await self._heard.wait()

    def look(self) -> None:
        """Something has changed that is waited for."""
        self._heard.set()

    async def _ask(self) -> None:
        """Have as many on their way as can be taken at once."""
        if self._owed + len(self._come) > MESSAGES_MAX // 2:
            return
        wanted = MESSAGES_MAX - self._owed - len(self._come)
        self._owed += wanted
        request = {"batch": wanted, "max_bytes": BYTES_MAX, "expires": int(EXPIRES_S * 1e9)}
        await self._client.publish(self._subject, json.dumps(request).encode(), self._inbox)

    async def _hear(self, message: Msg) -> None:
        headers: dict[str, Any] = message.headers or {}
        status = headers.get(api.Header.STATUS)
        if not status or message.reply.startswith(ACKNOWLEDGEMENT):
            self._owed = max(0, self._owed - 1)
            self._come.append(message)
        elif status in ENDED or headers.get(api.Header.DESCRIPTION) in USED_UP:
            self._owed = max(0, self._owed - int(headers.get(PENDING, MESSAGES_MAX)))
        else:
            self._failure = message
        self._heard.set()
