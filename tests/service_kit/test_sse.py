"""What a live feed sends, read as clients read it; and when it begins."""

import asyncio
import re
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

import pytest
from service_kit.http import live_feed
from service_kit.http.live_feed import FeedsClosed, once_possible
from service_kit.http.sse import (
    RECONNECT_MS_MAX,
    RECONNECT_MS_MIN,
    Event,
    EventStream,
    event,
)


async def sent(*updates: Event | None) -> str:
    """The whole feed as it goes over the wire."""

    async def feed() -> AsyncGenerator[Event | None]:
        for each in updates:
            yield each

    parts: list[bytes] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        parts.append(message.get("body", b""))

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    await EventStream(feed())({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    return b"".join(parts).decode()


async def test_nothing_but_an_event_ends_with_a_blank_line() -> None:
    """Some clients, such as httpx-sse, make an event of any blank line after the first `id`."""
    text = await sent(None, event("snapshot", "{}", "1"), None, None, event("order", "{}", "2"))

    *blocks, end = text.split("\n\n")
    assert end == ""
    assert ["data: {}" in block.splitlines() for block in blocks] == [True, True]
    assert text.splitlines().count(": ping") == 3


async def test_readers_are_told_different_times_to_come_back_after() -> None:
    texts = [await sent(event("snapshot", "{}", "1")) for _ in range(20)]

    times = {int(re.match(r"retry: (\d+)\n", text)[1]) for text in texts}  # type: ignore[index]
    assert len(times) > 1
    assert all(RECONNECT_MS_MIN <= each <= RECONNECT_MS_MAX for each in times)


class Away(Exception):
    """The store is away."""


def is_away(error: Exception) -> bool:
    return isinstance(error, Away)


async def test_while_the_store_is_away_a_feed_is_silent_and_then_it_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_feed, "BEGIN_INTERVAL_S", 0.0)
    tries = 0

    async def begin() -> AsyncGenerator[str | None]:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise Away
        yield "snapshot"

    feed = [each async for each in once_possible(begin, is_away)]

    assert feed == [None, "snapshot"]


async def test_while_the_store_is_away_a_feed_says_that_it_is_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_feed, "BEGIN_INTERVAL_S", 0.0)
    monkeypatch.setattr(live_feed, "HEARTBEAT_INTERVAL_S", 0.0)

    async def begin() -> AsyncGenerator[str | None]:
        raise Away
        yield

    feed = once_possible(begin, is_away)

    assert [await anext(feed) for _ in range(3)] == [None, None, None]
    await feed.aclose()


async def test_a_store_that_stays_away_is_asked_ever_more_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def noted(pause_s: float) -> None:
        pauses.append(pause_s)

    monkeypatch.setattr(asyncio, "sleep", noted)

    async def begin() -> AsyncGenerator[str | None]:
        if len(pauses) < 6:
            raise Away
        yield "snapshot"

    feed = [each async for each in once_possible(begin, is_away)]

    assert feed == [None, None, None, "snapshot"]  # a heartbeat ahead of each pause of 15 s
    longest = [1, 2, 4, 8, 15, 15]
    assert all(0.7 * most <= each <= most for each, most in zip(pauses, longest, strict=True))
    assert pauses[4] != pauses[5]


async def test_what_is_no_absence_refuses_the_feed() -> None:
    async def begin() -> AsyncGenerator[str | None]:
        raise LookupError
        yield

    with pytest.raises(LookupError):
        await anext(once_possible(begin, is_away))


async def test_no_feed_begins_where_the_service_is_about_to_end() -> None:
    async def begin() -> AsyncGenerator[str | None]:
        raise FeedsClosed
        yield

    assert [each async for each in once_possible(begin, is_away)] == []
