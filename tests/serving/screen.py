"""The kitchen's screen: reads the feed of a queue as a browser's EventSource does."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.tokens import bearer

EVENT_TIMEOUT_S = 60.0
"""Seconds within which each event must come."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, or a comment, of which only `comment` is set."""

    name: str = ""
    id: int = 0
    data: Any = None
    comment: str = ""

    @property
    def status(self) -> str:
        status: str = self.data["status"]
        return status


class Screen:
    """One connection; `last` is the id of the last event that came."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last: int | None = None
        self._events = _read_events(response.aiter_lines())

    async def next(self) -> Event:
        """The next event. Raises StopAsyncIteration at the end of the feed."""
        async with asyncio.timeout(EVENT_TIMEOUT_S):
            while (event := await self.next_event_or_comment()).comment:
                pass
        return event

    async def next_event_or_comment(self) -> Event:
        """The next event or comment."""
        async with asyncio.timeout(EVENT_TIMEOUT_S):
            event = await anext(self._events)
        self.last = event.id or self.last
        return event

    async def rest(self) -> list[Event]:
        """The events until the end of the feed."""
        events = []
        with contextlib.suppress(StopAsyncIteration):
            while True:
                events.append(await self.next())
        return events

    async def close(self) -> None:
        await self._events.aclose()


@contextlib.asynccontextmanager
async def watching(
    url: str,
    restaurant: str = "la-piazza",
    *,
    last: int | None = None,
    transport: httpx.AsyncHTTPTransport | None = None,
) -> AsyncIterator[Screen]:
    """A screen in front of the restaurant's cooks, on the replica with this URL."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    path = f"/v1/restaurants/{restaurant}/queue/live"
    async with (
        httpx.AsyncClient(
            base_url=url, timeout=EVENT_TIMEOUT_S, transport=transport, headers=bearer()
        ) as http,
        http.stream("GET", path, headers=headers) as response,
    ):
        screen = Screen(response)
        yield screen
        await screen.close()


async def _read_events(lines: AsyncIterator[str]) -> AsyncGenerator[Event]:
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
    return Event(fields["event"], int(fields["id"]), json.loads(fields["data"]))
