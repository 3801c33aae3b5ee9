"""A page that shows something live: reads a feed as a browser's EventSource does."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.tokens import bearer

PATIENCE = 30.0
"""Seconds within which what is waited for must come."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it came; of a comment only its text."""

    name: str = ""
    id: str = ""
    data: Any = None
    comment: str = ""


class Screen:
    """One connection; `last` is the id of the last event that came."""

    def __init__(self, response: httpx.Response, last: str | None) -> None:
        self.response = response
        self.last = last
        self._parts = _parts(response.aiter_lines())

    async def next(self) -> Event:
        """The next event. Raises StopAsyncIteration at the end of the feed."""
        async with asyncio.timeout(PATIENCE):
            while (event := await self.next_part()).comment:
                pass
        return event

    async def next_part(self) -> Event:
        """The next event or comment."""
        async with asyncio.timeout(PATIENCE):
            event = await anext(self._parts)
        self.last = event.id or self.last
        return event

    async def until(self, data: Any) -> Event:
        """The event that brings just this; what comes before it is passed over."""
        while (event := await self.next()).data != data:
            pass
        return event

    async def rest(self) -> list[Event]:
        """What comes until the end of the feed."""
        events = []
        with contextlib.suppress(StopAsyncIteration):
            while True:
                events.append(await self.next())
        return events

    async def close(self) -> None:
        await self._parts.aclose()


@contextlib.asynccontextmanager
async def watching(
    url: str,
    path: str,
    *,
    last: str | None = None,
    transport: httpx.AsyncHTTPTransport | None = None,
    authorization: dict[str, str] | None = None,
) -> AsyncIterator[Screen]:
    """A page that shows the feed of the replica with this URL, from where it left off."""
    headers = {} if last is None else {"Last-Event-ID": last}
    async with (
        httpx.AsyncClient(
            base_url=url, timeout=PATIENCE, transport=transport, headers=authorization or bearer()
        ) as http,
        http.stream("GET", path, headers=headers) as response,
    ):
        screen = Screen(response, last)
        yield screen
        await screen.close()


async def _parts(lines: AsyncIterator[str]) -> AsyncGenerator[Event]:
    fields: dict[str, str] = {}
    async for line in lines:
        if line.startswith(":"):
            yield Event(comment=line.removeprefix(": "))
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield _event(fields)
            fields = {}


def _event(fields: dict[str, str]) -> Event:
    return Event(fields["event"], fields["id"], json.loads(fields["data"]))
