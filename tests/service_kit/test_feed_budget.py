"""Live feeds are counted: a process and a restaurant have only so many, and so many bytes wait."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge
from service_kit.http import feed_budget, live_feed, sse, unsent
from service_kit.http.feed_budget import FeedBudget
from service_kit.http.live_feed import Reader, Readers
from service_kit.http.problems import ProblemError
from service_kit.http.sse import PART_BYTES, EventStream, event_of_pieces
from service_kit.http.unsent import UnsentBytes

from tests.support.traced import traced


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


async def test_guests_take_no_place_of_their_restaurants_screens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_budget, "FEEDS_OF_ONE_RESTAURANT_MAX", 1)
    budget = FeedBudget()

    with budget.place("full", of_guest=True):
        with pytest.raises(ProblemError), budget.place("full", of_guest=True):
            pytest.fail("a guest too many")
        with budget.place("full"), pytest.raises(ProblemError), budget.place("full"):
            pytest.fail("a screen too many")


def test_a_reader_behind_by_too_many_bytes_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "READER_LAG_MAX_BYTES", 100)
    registry = CollectorRegistry()
    readers: Readers[str] = Readers(
        Gauge("present", "", registry=registry), Counter("slow", "", registry=registry)
    )

    with readers.reader("topic"):
        readers.publish("topic", "one larger than all", [b"x" * 200])
        assert readers.topics
        readers.publish("topic", "another", [b"x"])

        assert not readers.topics


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> UnsentBytes:
    """What feeds may hold: 100 bytes."""
    process = UnsentBytes()
    monkeypatch.setattr(unsent, "UNSENT_BYTES_MAX", 100)
    for module in (live_feed, sse):
        monkeypatch.setattr(module, "PROCESS", process)
    return process


async def test_beyond_the_bytes_of_all_feeds_those_who_hold_most_are_ended(
    process: UnsentBytes,
) -> None:
    slow, other, quick = Reader[str](), Reader[str](), Reader[str]()
    first, second, third = (letter * 40 for letter in (b"a", b"b", b"c"))

    assert slow.offer("first", [first])
    assert slow.offer("second", [second])
    assert other.offer("first", [first])
    assert quick.offer("third", [third])

    assert [each async for each in slow.updates()] == []
    assert process.total == len(first) + len(third)
    assert await anext(quick.updates()) == "third"
    assert await anext(other.updates()) == "first"
    assert process.total == 0


async def test_what_many_feeds_hold_counts_once(process: UnsentBytes) -> None:
    readers = [Reader[str]() for _ in range(50)]
    shared = b"x" * 90

    assert all(each.offer("update", [b"", shared, shared]) for each in readers)

    assert process.total == len(shared)
    for each in readers:
        each.end()
    assert process.total == 0


async def test_a_feed_whose_reader_takes_nothing_is_closed_once_all_hold_too_much(
    process: UnsentBytes,
) -> None:
    held, is_sending = 90 * b"x", asyncio.Event()

    async def events() -> AsyncGenerator[list[bytes]]:
        yield [held]

    async def send(message: object) -> None:
        if isinstance(message, dict) and message.get("body"):
            is_sending.set()
            await asyncio.Event().wait()

    stalled = asyncio.create_task(EventStream(events()).stream_response(send))
    await is_sending.wait()
    reader = Reader[str]()

    assert reader.offer("update", [b"y" * 20])

    await stalled
    assert process.total == 20
    reader.end()


async def test_an_event_is_sent_in_parts(process: UnsentBytes) -> None:
    del process
    sent: list[bytes] = []
    pieces = event_of_pieces("snapshot", [b"x" * 100_000, b",", b"y" * 10], "1")

    async def events() -> AsyncGenerator[list[bytes]]:
        yield pieces

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message.get("body", b""))

    await EventStream(events()).stream_response(send)

    assert b"".join(sent).endswith(b"".join(pieces))
    assert max(map(len, sent)) <= 2 * PART_BYTES


async def test_a_quiet_feed_holds_nothing_of_what_it_has_sent(process: UnsentBytes) -> None:
    del process
    is_quiet = asyncio.Event()
    (first, first_life), (second, second_life) = traced(b"first"), traced(b"second")
    later = [second]
    del second

    async def events() -> AsyncGenerator[bytes]:
        while later:
            yield later.pop()
        is_quiet.set()
        await asyncio.Event().wait()

    async def send(message: object) -> None:
        del message

    stream = EventStream(FeedBudget().counted("la-piazza", events()), first)
    del first
    sending = asyncio.create_task(stream.stream_response(send))
    await is_quiet.wait()

    assert (first_life(), second_life()) == (None, None)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def test_a_reader_without_a_new_update_holds_nothing_of_the_last(
    process: UnsentBytes,
) -> None:
    del process
    reader, is_quiet = Reader[bytes](), asyncio.Event()
    update, life = traced(b"update")
    reader.offer(update, [update])
    del update
    updates = reader.updates()
    await anext(updates)

    async def wait_for_another() -> None:
        asyncio.get_running_loop().call_soon(is_quiet.set)
        await anext(updates)

    waiting = asyncio.create_task(wait_for_another())
    await is_quiet.wait()

    assert life() is None
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_feed_whose_time_has_just_run_out_fails_nobody_who_publishes(
    process: UnsentBytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until its task runs again it still counts, and is the one to be closed."""
    monkeypatch.setattr(sse, "SEND_TIMEOUT_S", 0)  # it runs out before the next callback
    reader, offered = Reader[str](), list[bool]()

    async def events() -> AsyncGenerator[list[bytes]]:
        yield [90 * b"x"]

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("body"):
            asyncio.get_running_loop().call_soon(
                lambda: offered.append(reader.offer("update", [b"y" * 20]))
            )
            await asyncio.Event().wait()

    await EventStream(events()).stream_response(send)

    assert offered == [True]
    assert process.total == 20
    reader.end()


@pytest.mark.parametrize(("seconds_of_a_part", "is_left"), [(20, False), (40, True)])
async def test_a_feed_is_left_when_it_takes_nothing_and_not_when_it_is_slow(
    process: UnsentBytes, monkeypatch: pytest.MonkeyPatch, seconds_of_a_part: int, is_left: bool
) -> None:
    del process
    clock = a_clock_that_stands(monkeypatch)
    monkeypatch.setattr(sse, "PART_BYTES", 10)
    sent: list[MutableMapping[str, Any]] = []

    async def events() -> AsyncGenerator[list[bytes]]:
        yield [50 * b"x"]

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("body"):
            clock.advance(seconds_of_a_part)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        sent.append(message)

    await EventStream(events()).stream_response(send)

    assert len(sent) == (1 if is_left else 1 + 5 + 1)


async def test_a_feed_that_is_closed_is_given_no_more_time(
    process: UnsentBytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_clock_that_stands(monkeypatch)
    monkeypatch.setattr(sse, "PART_BYTES", 10)
    sent: list[bytes] = []
    reader = Reader[str]()

    async def events() -> AsyncGenerator[list[bytes]]:
        yield [90 * b"x"]

    async def send(message: MutableMapping[str, Any]) -> None:
        if part := message.get("body"):
            if sent:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            else:
                reader.offer("update", [b"y" * 20])
            sent.append(part)

    await EventStream(events()).stream_response(send)

    assert len(sent) == 1
    assert process.total == 20
    reader.end()


class Clock:
    """The time of the event loop."""

    def __init__(self, now: float) -> None:
        self.now = now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def a_clock_that_stands(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The event loop's clock, which only a test advances."""
    loop = asyncio.get_running_loop()
    clock = Clock(loop.time())
    monkeypatch.setattr(loop, "time", lambda: clock.now)
    return clock


async def test_of_feeds_that_hold_too_much_those_are_closed_that_free_something(
    process: UnsentBytes,
) -> None:
    shared = b"s" * 60
    many = [Reader[str]() for _ in range(20)]
    stalled = [Reader[str]() for _ in range(2)]

    assert all(each.offer("shared", [shared]) for each in many)
    for each, letter in zip(stalled, (b"a", b"b"), strict=True):
        each.offer("own", [letter * 30])

    assert {await anext(each.updates(), None) for each in many} == {"shared"}
    left = [await anext(each.updates(), None) for each in stalled]
    assert sorted(left, key=str) == [None, "own"]
