"""Kept answers: never older than what was heard of, and computed once for all who ask."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from query.api.http import response_cache as rendered
from query.api.http.response_cache import Renderings
from query.api.http.responses import Body, body
from query.live.change_stream import Follower
from query.live.position import Position

from tests.query.builders import after, an_order, placed
from tests.query.conftest import store
from tests.query.replicas import Replica, a_replica
from tests.query.waiting import eventually

LONG = 1000.0


class Numbers:
    """Answers with a number that a test sets, read after a while."""

    def __init__(self) -> None:
        self.now = 0
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def render(self, restaurant: str) -> Body:
        self.asked += 1
        read = self.now
        await self.may_answer.wait()
        return body([restaurant, read])


async def given(renderings: Renderings, restaurant: str = "ours", *, since: float = 0.0) -> bytes:
    return (await renderings.of(restaurant, since=since)).body.json


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture
def renderings(numbers: Numbers) -> Renderings:
    return Renderings("test", numbers.render, lambda: True)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change counts at once, and time alone outdates nothing."""
    monkeypatch.setattr(rendered, "HOLD", 0.0)
    monkeypatch.setattr(rendered, "MEANWHILE", 0.0)
    monkeypatch.setattr(rendered, "KEPT", LONG)


@pytest.mark.usefixtures("at_once")
async def test_an_answer_is_kept_until_something_changes(
    numbers: Numbers, renderings: Renderings
) -> None:
    first = await given(renderings)
    numbers.now = 1

    assert await given(renderings) == first
    renderings.outdate("another")
    assert await given(renderings) == first
    renderings.outdate("ours")
    assert await given(renderings) == b'["ours",1]'
    assert numbers.asked == 2


async def test_an_answer_that_may_speak_of_the_time_is_not_kept_for_long(
    numbers: Numbers, renderings: Renderings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendered, "HOLD", 0.0)
    monkeypatch.setattr(rendered, "KEPT", 0.05)
    await given(renderings)
    await asyncio.sleep(0.06)

    await given(renderings)

    assert numbers.asked == 2


async def test_all_who_ask_meanwhile_are_given_one_answer(
    numbers: Numbers, renderings: Renderings
) -> None:
    numbers.may_answer.clear()
    asking = [asyncio.create_task(given(renderings)) for _ in range(50)]
    await eventually(lambda: value(numbers.asked), bool)
    asking.pop().cancel()
    numbers.may_answer.set()

    assert set(await asyncio.gather(*asking)) == {b'["ours",0]'}
    assert numbers.asked == 1


@pytest.mark.usefixtures("at_once")
async def test_what_changes_while_an_answer_is_under_way_outdates_it(
    numbers: Numbers, renderings: Renderings
) -> None:
    numbers.may_answer.clear()
    early = asyncio.create_task(given(renderings))
    await eventually(lambda: value(numbers.asked), bool)
    numbers.now = 1
    renderings.outdate("ours")
    late = asyncio.create_task(given(renderings))
    await eventually(lambda: value(numbers.asked), lambda asked: asked == 2)
    numbers.may_answer.set()

    assert [await early, await late] == [b'["ours",0]', b'["ours",1]']
    assert await given(renderings) == b'["ours",1]'


async def test_changes_one_after_the_other_have_it_computed_once_in_a_while(
    numbers: Numbers, renderings: Renderings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendered, "HOLD", LONG)
    for _ in range(100):
        await given(renderings)
        renderings.outdate("ours")

    assert numbers.asked == 1


async def test_an_old_answer_is_given_at_once_while_the_next_is_read(
    numbers: Numbers, renderings: Renderings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendered, "HOLD", 0.0)
    monkeypatch.setattr(rendered, "MEANWHILE", LONG)
    old = (await renderings.of("ours")).body
    numbers.now = 1
    numbers.may_answer.clear()
    renderings.outdate("ours")

    assert [renderings.at_once("ours") for _ in range(3)] == [old] * 3
    await eventually(lambda: value(numbers.asked), lambda asked: asked == 2)
    numbers.may_answer.set()

    assert await given(renderings) == b'["ours",1]'
    assert renderings.at_once("ours") == body(["ours", 1])
    assert numbers.asked == 2


async def test_an_old_answer_is_not_given_for_ever(
    numbers: Numbers, renderings: Renderings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendered, "HOLD", 0.0)
    monkeypatch.setattr(rendered, "MEANWHILE", 0.02)
    await given(renderings)
    numbers.may_answer.clear()
    renderings.outdate("ours")
    assert renderings.at_once("ours")

    await asyncio.sleep(0.03)

    assert renderings.at_once("ours") is None


async def test_who_knows_of_a_change_is_given_what_was_read_after_it(
    numbers: Numbers, renderings: Renderings
) -> None:
    await given(renderings)
    numbers.now = 1

    now = asyncio.get_running_loop().time()
    assert await given(renderings, since=now) == b'["ours",1]'


async def test_while_changes_are_not_heard_of_nothing_is_kept(numbers: Numbers) -> None:
    deaf = Renderings("test", numbers.render, lambda: False)

    await given(deaf)
    await given(deaf)

    assert numbers.asked == 2
    assert deaf.at_once("ours") is None


async def test_a_failure_is_told_to_all_who_asked_and_then_forgotten() -> None:
    outcomes = iter([ValueError("no"), None])

    async def render(restaurant: str) -> Body:
        await asyncio.sleep(0)
        if error := next(outcomes):
            raise error
        return body(restaurant)

    renderings = Renderings("test", render, lambda: True)

    failed = await asyncio.gather(*[given(renderings) for _ in range(3)], return_exceptions=True)

    assert {type(each) for each in failed} == {ValueError}
    assert await given(renderings) == b'"ours"'


async def test_not_every_restaurant_that_was_ever_asked_about_is_kept(
    numbers: Numbers, renderings: Renderings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendered, "MOST", 2)
    for restaurant in ("one", "two", "three", "three", "two"):
        await given(renderings, restaurant)

    assert numbers.asked == 3
    assert renderings.at_once("one") is None


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

    class Ear(Follower):
        async def changed(self, changes: Mapping[str, Position]) -> None:
            heard.update(numbers_of[order_id] for order_id in changes)

    numbers_of: dict[str, str] = {}
    replica.following.add(Ear())
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

    async with httpx.AsyncClient(base_url=replica.url, timeout=30) as query:
        await store(replica.orders, placed(an_order(restaurant=restaurant, number="A-999")))
        writing = asyncio.create_task(write())
        answers = await asyncio.gather(*[read(query) for _ in range(4)])
        await writing

    assert heard
    assert min(answers) > 10
