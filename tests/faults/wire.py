"""HTTP for a load: as little of it as the services answer with, so that the load costs little.

A client library would take more of the machine than the services that are to be loaded.
"""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length:"
LAST = b"\r\nconnection: close\r\n"


class NoAnswer(Exception):
    """The connection broke, or no answer came in time: what was asked may or may not be done."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its status and its body."""

    status: int
    content: bytes

    @property
    def is_success(self) -> bool:
        return self.status < 300

    @property
    def is_client_error(self) -> bool:
        return 400 <= self.status < 500

    @property
    def is_server_error(self) -> bool:
        return self.status >= 500


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Wire:
    """Connections that are kept open, and used by one request at a time."""

    def __init__(self, longest_answer: float) -> None:
        self._longest_answer = longest_answer
        self._idle: defaultdict[str, list[Connection]] = defaultdict(list)

    async def request(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a JSON body, if there is one. Raises NoAnswer."""
        to = urlsplit(url)
        request = _request(method, to.path, to.netloc, body, headers or {})
        try:
            async with asyncio.timeout(self._longest_answer):
                return await self._exchange(to.netloc, request)
        except (OSError, EOFError, TimeoutError) as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from error

    async def aclose(self) -> None:
        for connections in self._idle.values():
            for _, writer in connections:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _exchange(self, place: str, request: bytes) -> Answer:
        """The answer. A kept connection that ends before a byte of it was closed as it was used
        again: then another is used, as clients do (RFC 9112, 9.3.1)."""
        while kept := self._kept(place):
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                try:
                    return await self._ask(place, kept, request)
                except asyncio.IncompleteReadError as error:
                    if error.partial:
                        raise
        host, _, port = place.partition(":")
        return await self._ask(place, await asyncio.open_connection(host, int(port)), request)

    async def _ask(self, place: str, connection: Connection, request: bytes) -> Answer:
        reader, writer = connection
        try:
            writer.write(request)
            answer, is_last = await _answer(reader)
        except BaseException:
            writer.close()
            raise
        if is_last:
            writer.close()
        else:
            self._idle[place].append(connection)
        return answer

    def _kept(self, place: str) -> Connection | None:
        while self._idle[place]:
            reader, writer = self._idle[place].pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return None


def _request(method: str, path: str, place: str, body: Any, headers: Mapping[str, str]) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {place}", f"Content-Length: {len(content)}"]
    lines += ["Content-Type: application/json"] if content else []
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def _answer(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    """The answer, and whether the server said that it is the connection's last."""
    head = (await reader.readuntil(END_OF_HEAD)).lower()
    status = int(head.split(b" ", 2)[1])
    length = int(head.partition(LENGTH)[2].partition(b"\r\n")[0])
    return Answer(status, await reader.readexactly(length)), LAST in head
