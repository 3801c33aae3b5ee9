"""Keys that are asked for while the store is busy are fetched together, and each gets its own."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from query.storage.batch_loader import BATCH_KEYS_MAX, CONCURRENT_FETCHES_MAX, BatchLoader
from query.views.ports import StoreUnavailable
from service_kit.runtime.request_id import REQUEST_ID

TURNS_TO_REST = 12
"""Turns of the event loop after which nothing goes on any more unless the store answers."""


class Store:
    """Answers a fetch when it is told to, with its keys in capitals."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.pending: list[asyncio.Future[None]] = []
        self.concurrent_rounds_max = 0

    async def fetch(self, keys: Sequence[str]) -> dict[str, str]:
        self.asked.append(keys)
        answer = asyncio.get_running_loop().create_future()
        self.pending.append(answer)
        self.concurrent_rounds_max = max(self.concurrent_rounds_max, len(self.pending))
        await answer
        if "broken" in keys:
            raise LookupError("broken")
        return {key: key.upper() for key in keys if key != "unknown"}

    def answer(self) -> None:
        """Answer the oldest fetch that is under way, if there is one."""
        if self.pending:
            self.pending.pop(0).set_result(None)

    async def answer_all(self) -> None:
        """Answer whatever is under way, until nothing is."""
        await rest()
        while self.pending:
            self.answer()
            await rest()


async def rest() -> None:
    """Let everything go on that can."""
    for _ in range(TURNS_TO_REST):
        await asyncio.sleep(0)


async def ask_in_turn(
    loader: BatchLoader[str, str], keys: Sequence[str]
) -> list[asyncio.Task[str | None]]:
    tasks = []
    for key in keys:
        tasks.append(asyncio.create_task(loader.load(key)))
        await rest()
    return tasks


async def test_few_are_fetched_at_once_and_those_who_come_meanwhile_together() -> None:
    store = Store()

    tasks = await ask_in_turn(BatchLoader(store.fetch), [*"ab", "c", "unknown", "c"])
    store.answer()
    await rest()

    assert store.asked == [["a"], ["b"], ["c", "unknown"]]
    await store.answer_all()
    assert await asyncio.gather(*tasks) == ["A", "B", "C", None, "C"]


async def test_what_is_said_of_a_fetch_is_said_of_no_request_that_began_it() -> None:
    of_fetches: list[str] = []

    async def fetch(keys: Sequence[str]) -> dict[str, str]:
        of_fetches.append(REQUEST_ID.get())
        return dict.fromkeys(keys, "")

    async def ask() -> str:
        REQUEST_ID.set("one")
        await BatchLoader(fetch).load("a")
        return REQUEST_ID.get()

    assert await asyncio.create_task(ask()) == "one"
    assert of_fetches == [""]


async def test_a_key_that_is_asked_for_while_it_is_fetched_is_fetched_again() -> None:
    store = Store()

    tasks = await ask_in_turn(BatchLoader(store.fetch), ["a", "a"])

    assert store.asked == [["a"], ["a"]]
    await store.answer_all()
    assert await asyncio.gather(*tasks) == ["A", "A"]


async def test_a_key_that_can_not_be_fetched_fails_alone() -> None:
    store = Store()
    loader = BatchLoader(store.fetch)
    tasks = await ask_in_turn(loader, ["a", "b", "broken", "c"])
    await store.answer_all()

    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [*outcomes[:2], outcomes[3]] == ["A", "B", "C"]
    assert isinstance(outcomes[2], LookupError)
    [later] = await ask_in_turn(loader, ["d"])
    await store.answer_all()
    assert await later == "D"


async def test_one_who_gives_up_takes_the_answer_from_nobody() -> None:
    store = Store()
    _, _, one, other = await ask_in_turn(BatchLoader(store.fetch), ["a", "b", "c", "c"])
    one.cancel()
    await store.answer_all()

    assert await other == "C"
    with pytest.raises(asyncio.CancelledError):
        await one


async def test_a_fetch_has_no_more_keys_than_the_store_answers_in_one_go() -> None:
    store = Store()
    keys = [str(number) for number in range(CONCURRENT_FETCHES_MAX + BATCH_KEYS_MAX + 1)]
    tasks = await ask_in_turn(BatchLoader(store.fetch), keys)

    await store.answer_all()
    await asyncio.gather(*tasks)

    assert [len(asked) for asked in store.asked] == [1] * CONCURRENT_FETCHES_MAX + [
        BATCH_KEYS_MAX,
        1,
    ]


async def test_the_keys_of_a_fetch_weigh_no_more_than_it_may_take() -> None:
    store = Store()
    loader = BatchLoader(store.fetch, weigh=len, batch_weight_max=4)
    tasks = await ask_in_turn(loader, ["a", "b", "cc", "dd", "e", "too heavy", "f"])

    await store.answer_all()
    await asyncio.gather(*tasks)

    assert store.asked == [["a"], ["b"], ["cc", "dd"], ["e"], ["too heavy"], ["f"]]


async def test_a_store_that_is_away_is_not_asked_again_for_each_key() -> None:
    async def fetch(keys: Sequence[str]) -> dict[str, str]:
        asked.append(keys)
        raise StoreUnavailable

    asked: list[Sequence[str]] = []
    loader = BatchLoader(fetch)

    outcomes = await asyncio.gather(*map(loader.load, "abcd"), return_exceptions=True)

    assert all(isinstance(each, StoreUnavailable) for each in outcomes)
    assert len(asked) <= CONCURRENT_FETCHES_MAX + 1


async def test_a_key_that_comes_in_the_turn_in_which_every_fetch_ends_is_fetched() -> None:
    store = Store()
    loader = BatchLoader(store.fetch)
    keys = [str(number) for number in range(CONCURRENT_FETCHES_MAX)]
    tasks = await ask_in_turn(loader, keys)

    for _ in keys:
        store.answer()
    tasks += await ask_in_turn(loader, ["late"])  # in the turn of the answers

    await store.answer_all()
    assert all(task.done() for task in tasks)
    assert await tasks[-1] == "LATE"


@dataclass
class Question:
    """Somebody who asked for a key, and how many fetches had begun before."""

    key: str
    fetches_before: int
    task: asyncio.Task[str | None]


async def check(steps: Sequence[str]) -> None:
    """Every question gets what a fetch gave that began after it, whatever the steps.

    Steps between two of `turn` happen in one turn of the event loop, in their order.
    """
    store = Store()
    loader = BatchLoader(store.fetch)
    questions: list[Question] = []

    for step in steps:
        match step.split():
            case ["ask", key]:
                task = asyncio.create_task(loader.load(key))
                questions.append(Question(key, len(store.asked), task))
            case ["answer"]:
                store.answer()
            case ["cancel"]:
                if questions:
                    questions.pop().task.cancel()
            case ["turn"]:
                await asyncio.sleep(0)
            case _:
                raise ValueError(step)
    await store.answer_all()

    assert [each.key for each in questions if not each.task.done()] == []
    outcomes = await asyncio.gather(*(each.task for each in questions), return_exceptions=True)
    for question, outcome in zip(questions, outcomes, strict=True):
        fetched = [keys for keys in store.asked[question.fetches_before :] if question.key in keys]
        is_value = outcome == question.key.upper()
        is_broken = question.key == "broken" and isinstance(outcome, LookupError)
        assert fetched
        assert is_value or is_broken
    assert store.concurrent_rounds_max <= CONCURRENT_FETCHES_MAX
    assert all(len(set(keys)) == len(keys) for keys in store.asked)


def interleavings(sequences: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """Every order of all steps that keeps the order within each sequence."""
    begun = [each for each in sequences if each]
    if not begun:
        yield []
    for number, (step, *later) in enumerate(begun):
        for rest_of_them in interleavings([*begun[:number], later, *begun[number + 1 :]]):
            yield [step, *rest_of_them]


async def test_three_questions_are_answered_however_they_meet_two_answers() -> None:
    asked, answered = ["ask a", "ask b", "ask c"], ["answer", "answer"]

    for steps in interleavings([asked, answered, ["turn"] * 4]):
        await check(steps)


STEPS = ["ask a", "ask b", "ask c", "ask broken", "answer", "answer", "cancel", "turn", "turn"]

"""What may happen once both fetches are under way."""


@given(st.lists(st.sampled_from(STEPS), max_size=8))
async def test_questions_are_answered_whatever_happens_in_the_same_turn(steps: list[str]) -> None:
    await check(["ask a", "turn", "turn", "ask b", "turn", "turn", *steps])
