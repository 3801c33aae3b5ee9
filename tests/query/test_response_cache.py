"""Kept answers: never older than what was heard of, and computed once for all who ask."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from query.api.http import response_cache
from query.api.http.response_cache import ResponseCache
from query.api.http.responses import Body, body_of
from query.api.live_routes import _cached_events
from query.live.change_stream import ChangeListener
from query.live.position import Position
from service_kit.runtime.request_id import REQUEST_ID

from tests.query.builders import after, an_order, placed
from tests.query.conftest import store
from tests.query.replicas import Replica, a_replica
from tests.support.eventually import eventually
from tests.support.tokens import bearer

LONG = 1000.0


class Numbers:
    """Answers with a number that a test sets, read after a while."""

    def __init__(self) -> None:
        self.now = 0
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def read(self, restaurant: str) -> Body:
        self.asked += 1
        read = self.now
        await self.may_answer.wait()
        return body_of([restaurant, read])


async def given(
    cache: ResponseCache, restaurant: str = "ours", *, not_before: float = 0.0
) -> bytes:
    return (await cache.get(restaurant, not_before=not_before)).body.json


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
def cache(numbers: Numbers) -> ResponseCache:
    return ResponseCache("test", numbers.read, lambda: True)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change counts at once, and time alone outdates nothing."""
    monkeypatch.setattr(response_cache, "MIN_REFRESH_INTERVAL_S", 0.0)
    monkeypatch.setattr(response_cache, "STALE_WHILE_REVALIDATE_S", 0.0)
    monkeypatch.setattr(response_cache, "MAX_AGE_S", LONG)


@pytest.mark.usefixtures("at_once")
async def test_an_answer_is_kept_until_something_changes(
    numbers: Numbers, cache: ResponseCache
) -> None:
    first = await given(cache)
    numbers.now = 1

    assert await given(cache) == first
    cache.invalidate("another")
    assert await given(cache) == first
    cache.invalidate("ours")
    assert await given(cache) == b'["ours",1]'
    assert numbers.asked == 2


async def test_an_answer_that_may_speak_of_the_time_is_not_kept_for_long(
    numbers: Numbers, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "MIN_REFRESH_INTERVAL_S", 0.0)
    monkeypatch.setattr(response_cache, "MAX_AGE_S", 0.05)
    await given(cache)
    await asyncio.sleep(0.06)

    await given(cache)

    assert numbers.asked == 2


async def test_all_who_ask_meanwhile_are_given_one_answer(
    numbers: Numbers, cache: ResponseCache
) -> None:
    numbers.may_answer.clear()
    asking = [asyncio.create_task(given(cache)) for _ in range(50)]
    await eventually(lambda: value(numbers.asked), bool)
    asking.pop().cancel()
    numbers.may_answer.set()

    assert set(await asyncio.gather(*asking)) == {b'["ours",0]'}
    assert numbers.asked == 1


@pytest.mark.usefixtures("at_once")
async def test_what_changes_while_an_answer_is_under_way_outdates_it(
    numbers: Numbers, cache: ResponseCache
) -> None:
    numbers.may_answer.clear()
    early = asyncio.create_task(given(cache))
    await eventually(lambda: value(numbers.asked), bool)
    numbers.now = 1
    cache.invalidate("ours")
    late = asyncio.create_task(given(cache))
    await eventually(lambda: value(numbers.asked), lambda asked: asked == 2)
    numbers.may_answer.set()

    assert [await early, await late] == [b'["ours",0]', b'["ours",1]']
    assert await given(cache) == b'["ours",1]'


async def test_changes_one_after_the_other_have_it_computed_once_in_a_while(
    numbers: Numbers, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "MIN_REFRESH_INTERVAL_S", LONG)
    for _ in range(100):
        await given(cache)
        cache.invalidate("ours")

    assert numbers.asked == 1


async def test_an_old_answer_is_given_at_once_while_the_next_is_read(
    numbers: Numbers, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "MIN_REFRESH_INTERVAL_S", 0.0)
    monkeypatch.setattr(response_cache, "STALE_WHILE_REVALIDATE_S", LONG)
    old = (await cache.get("ours")).body
    numbers.now = 1
    numbers.may_answer.clear()
    cache.invalidate("ours")

    assert [cache.get_nowait("ours") for _ in range(3)] == [old] * 3
    await eventually(lambda: value(numbers.asked), lambda asked: asked == 2)
    numbers.may_answer.set()

    assert await given(cache) == b'["ours",1]'
    assert cache.get_nowait("ours") == body_of(["ours", 1])
    assert numbers.asked == 2


async def test_an_old_answer_is_not_given_for_ever(
    numbers: Numbers, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "MIN_REFRESH_INTERVAL_S", 0.0)
    monkeypatch.setattr(response_cache, "STALE_WHILE_REVALIDATE_S", LONG)
    await given(cache)
    numbers.may_answer.clear()
    cache.invalidate("ours")
    assert cache.get_nowait("ours")

    monkeypatch.setattr(response_cache, "STALE_WHILE_REVALIDATE_S", 0.01)
    await asyncio.sleep(0.02)

    assert cache.get_nowait("ours") is None


async def test_who_knows_of_a_change_is_given_what_was_read_after_it(
    numbers: Numbers, cache: ResponseCache
) -> None:
    await given(cache)
    numbers.now = 1

    now = asyncio.get_running_loop().time()
    assert await given(cache, not_before=now) == b'["ours",1]'


async def test_while_changes_are_not_heard_of_nothing_is_kept(numbers: Numbers) -> None:
    deaf = ResponseCache("test", numbers.read, lambda: False)

    await given(deaf)
    await given(deaf)

    assert numbers.asked == 2
    assert deaf.get_nowait("ours") is None


async def test_while_changes_are_not_heard_of_one_reading_is_shared(numbers: Numbers) -> None:
    cache = ResponseCache("test", numbers.read, lambda: False)
    numbers.may_answer.clear()
    asking = [asyncio.create_task(given(cache)) for _ in range(200)]
    await asyncio.sleep(0)
    later = asyncio.get_running_loop().time()

    caught_up = asyncio.create_task(given(cache, not_before=later))
    await asyncio.sleep(0)
    numbers.may_answer.set()

    assert set(await asyncio.gather(*asking)) == {b'["ours",0]'}
    await caught_up
    assert numbers.asked == 2


@pytest.mark.usefixtures("at_once")
async def test_while_changes_are_not_heard_of_a_live_feed_reads_once_a_second(
    numbers: Numbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = ResponseCache("test", numbers.read, lambda: False)
    feed = _cached_events("board", deaf, "ours", None)
    await anext(feed)
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(pause_s: float) -> None:
        pauses.append(pause_s)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", noted)
    numbers.now = 1

    await anext(feed)

    assert sum(pauses) >= 1
    assert numbers.asked == 2
    await feed.aclose()


async def test_what_is_said_of_an_answer_is_said_of_no_request_that_began_it() -> None:
    of_answers: list[str] = []

    async def read(_: str) -> Body:
        of_answers.append(REQUEST_ID.get())
        return body_of([])

    async def ask() -> str:
        REQUEST_ID.set("one")
        await ResponseCache("test", read, lambda: True).get("ours")
        return REQUEST_ID.get()

    assert await asyncio.create_task(ask()) == "one"
    assert of_answers == [""]


async def test_a_live_feed_is_told_of_a_change_however_much_is_kept(
    numbers: Numbers, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "ENTRIES_MAX", 3)
    live = await cache.get("live")
    waiting = asyncio.create_task(live.wait_until_stale())
    await asyncio.sleep(0)
    for number in range(10):
        await given(cache, str(number))

    cache.invalidate("live")

    async with asyncio.timeout(1):
        await waiting


@pytest.mark.usefixtures("at_once")
async def test_what_is_kept_has_a_bound_in_bytes(
    numbers: Numbers, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "BYTES_MAX", 5 * len(b'["0",0]'))
    for number in range(10):
        await given(cache, str(number % 10))

    numbers.asked = 0
    for number in range(5, 10):
        await given(cache, str(number))
    assert numbers.asked == 0
    await given(cache, "4")
    assert numbers.asked == 1


async def test_a_failure_is_told_to_all_who_asked_and_then_forgotten() -> None:
    outcomes = iter([ValueError("no"), None])

    async def make(restaurant: str) -> Body:
        await asyncio.sleep(0)
        if error := next(outcomes):
            raise error
        return body_of(restaurant)

    cache = ResponseCache("test", make, lambda: True)

    failed = await asyncio.gather(*[given(cache) for _ in range(3)], return_exceptions=True)

    assert {type(each) for each in failed} == {ValueError}
    assert await given(cache) == b'"ours"'


async def test_not_every_restaurant_that_was_ever_asked_about_is_kept(
    numbers: Numbers, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "ENTRIES_MAX", 2)
    for restaurant in ("one", "two", "three", "three", "two"):
        await given(cache, restaurant)

    assert numbers.asked == 3
    assert cache.get_nowait("one") is None


async def value(view_of: int) -> int:
    return view_of


@pytest.fixture
async def replica(fresh_mongodb_url: str) -> AsyncIterator[Replica]:
    async with a_replica(fresh_mongodb_url) as replica:
        yield replica


def numbers_on(answer: httpx.Response) -> set[str]:
    return {each["number"] for each in answer.json()["preparing"]}


@pytest.mark.usefixtures("at_once")
async def test_no_board_is_older_than_a_change_that_was_heard_of(
    replica: Replica, restaurant: str
) -> None:
    """Reads and writes at random times; what was heard of before a question is in its answer."""
    chance, heard = random.Random(4), set[str]()

    class Ear(ChangeListener):
        async def on_batch(self, changes: Mapping[str, Position]) -> None:
            heard.update(numbers_of[order_id] for order_id in changes)

    numbers_of: dict[str, str] = {}
    replica.changes.add(Ear())
    done = asyncio.Event()

    async def write() -> None:
        for number in range(150):
            order = an_order(
                restaurant=restaurant, number=f"A-{number:03}", placed_at=after(number)
            )
            numbers_of[str(order.order_id)] = order.number
            await store(replica.orders, placed(order))
            await asyncio.sleep(chance.random() * 0.02)
        done.set()

    async def read(query: httpx.AsyncClient) -> int:
        answers = 0
        while not done.is_set():
            known = set(heard)
            answer = await query.get(f"/v1/restaurants/{restaurant}/board")
            if answer.is_success:
                assert known <= numbers_on(answer)
                answers += 1
            await asyncio.sleep(chance.random() * 0.005)
        return answers

    async with httpx.AsyncClient(base_url=replica.url, timeout=30, headers=bearer()) as query:
        await store(replica.orders, placed(an_order(restaurant=restaurant, number="A-999")))
        writing = asyncio.create_task(write())
        answers = await asyncio.gather(*[read(query) for _ in range(4)])
        await writing

    assert heard
    assert min(answers) > 10
