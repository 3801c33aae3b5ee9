"""Live feeds are counted: a process and a restaurant have only so many, and so many bytes wait."""

import contextlib
from collections.abc import AsyncGenerator

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge
from service_kit.http import feed_budget, live_feed
from service_kit.http.feed_budget import FeedBudget
from service_kit.http.live_feed import Readers
from service_kit.http.problems import ProblemError


async def one_event() -> AsyncGenerator[bytes | None]:
    yield b"event"


@pytest.mark.parametrize(("restaurant", "status"), [("noisy", 429), ("other", 503)])
async def test_a_feed_too_many_is_refused_until_another_ends(
    monkeypatch: pytest.MonkeyPatch, restaurant: str, status: int
) -> None:
    monkeypatch.setattr(feed_budget, "FEEDS_OF_ONE_RESTAURANT_MAX", 2)
    monkeypatch.setattr(feed_budget, "FEEDS_MAX", 2)
    budget = FeedBudget()
    feeds = [budget.counted("noisy", one_event()) for _ in range(2)]
    for each in feeds:
        await anext(each)

    with pytest.raises(ProblemError) as refused:
        await anext(budget.counted(restaurant, one_event()))

    assert refused.value.status == status
    assert "Retry-After" in (refused.value.headers or {})
    await feeds[0].aclose()
    async with contextlib.aclosing(budget.counted(restaurant, one_event())) as feed:
        assert await anext(feed) == b"event"
    await feeds[1].aclose()


def test_a_reader_behind_by_too_many_bytes_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "READER_LAG_MAX_BYTES", 100)
    registry = CollectorRegistry()
    readers: Readers[str] = Readers(
        Gauge("present", "", registry=registry), Counter("slow", "", registry=registry)
    )

    with readers.reader("topic"):
        readers.publish("topic", "one larger than all", size_bytes=200)
        assert readers.topics
        readers.publish("topic", "another", size_bytes=1)

        assert not readers.topics
