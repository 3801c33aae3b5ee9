"""A publisher that speaks NATS's protocol itself, so that it can send what no client would."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

INBOX = b"_INBOX.poison"


class RawPublisher:
    """One connection; each message is published by itself and acknowledged by its stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, url: str) -> AsyncIterator["RawPublisher"]:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**22)
        await reader.readline()  # INFO
        login: dict[str, Any] = {
            "verbose": False,
            "pedantic": False,
            "headers": True,
            "no_responders": True,
        }
        if parts.username:
            login |= {"user": parts.username, "pass": parts.password}
        writer.write(b"CONNECT " + json.dumps(login).encode() + b"\r\nSUB " + INBOX + b" 1\r\n")
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()

    async def publish(self, subject: bytes, headers: bytes, body: bytes) -> dict[str, Any]:
        """The stream's acknowledgement: where the message is stored, or why it is not."""
        if headers:
            sizes = b"%d %d" % (len(headers), len(headers) + len(body))
            line = b"HPUB %b %b %b\r\n" % (subject, INBOX, sizes)
        else:
            line = b"PUB %b %b %d\r\n" % (subject, INBOX, len(body))
        self._writer.write(line + headers + body + b"\r\n")
        await self._writer.drain()
        async with asyncio.timeout(30):
            return await self._acknowledgement()

    async def _acknowledgement(self) -> dict[str, Any]:
        while True:
            line = await self._reader.readline()
            if line.startswith(b"PING"):
                self._writer.write(b"PONG\r\n")
            elif line.startswith(b"MSG "):
                whole = await self._reader.readexactly(int(line.split()[-1]) + 2)
                answer: dict[str, Any] = json.loads(whole)
                return answer
            elif line.startswith(b"-ERR") or not line:
                raise ConnectionError(line.decode(errors="replace"))
