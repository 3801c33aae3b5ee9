"""Questions that come at a time are asked together, and each is answered with its own."""

import asyncio
from collections.abc import Sequence

import pytest
from query.storage.batch_loader import AT_A_TIME, MOST, Together


class Store:
    """Answers a question when it is told to, with its keys in capitals."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.answers = asyncio.Semaphore(0)

    async def fetch(self, keys: Sequence[str]) -> dict[str, str]:
        self.asked.append(keys)
        await self.answers.acquire()
        if "broken" in keys:
            raise LookupError("broken")
        return {key: key.upper() for key in keys if key != "unknown"}


async def soon() -> None:
    """Let everything go on that can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def begun(
    together: Together[str, str], keys: Sequence[str]
) -> list[asyncio.Task[str | None]]:
    tasks = []
    for key in keys:
        tasks.append(asyncio.create_task(together.ask(key)))
        await soon()
    return tasks


async def test_few_are_asked_at_once_and_those_who_come_meanwhile_together() -> None:
    store = Store()

    tasks = await begun(Together(store.fetch), [*"ab", "c", "unknown", "c"])
    store.answers.release()
    await soon()

    assert store.asked == [["a"], ["b"], ["c", "unknown"]]
    for _ in range(AT_A_TIME):
        store.answers.release()
    assert await asyncio.gather(*tasks) == ["A", "B", "C", None, "C"]


async def test_what_is_asked_for_while_it_is_looked_for_is_looked_for_again() -> None:
    store = Store()

    await begun(Together(store.fetch), ["a", "a"])

    assert store.asked == [["a"], ["a"]]


async def test_a_failure_is_told_to_those_who_asked_and_to_nobody_else() -> None:
    store = Store()
    together = Together(store.fetch)
    tasks = await begun(together, ["a", "b", "broken", "c"])
    for _ in range(4):
        store.answers.release()

    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert outcomes[:2] == ["A", "B"]
    assert all(isinstance(each, LookupError) for each in outcomes[2:])
    assert await together.ask("d") == "D"


async def test_one_who_gives_up_takes_the_answer_from_nobody() -> None:
    store = Store()
    _, _, one, other = await begun(Together(store.fetch), ["a", "b", "c", "c"])
    one.cancel()
    for _ in range(3):
        store.answers.release()

    assert await other == "C"
    with pytest.raises(asyncio.CancelledError):
        await one


async def test_a_question_has_no_more_keys_than_the_store_answers_in_one_go() -> None:
    store = Store()
    keys = [str(number) for number in range(AT_A_TIME + MOST + 1)]
    tasks = await begun(Together(store.fetch), keys)

    for _ in range(AT_A_TIME + 2):
        store.answers.release()
    await asyncio.gather(*tasks)

    assert [len(asked) for asked in store.asked] == [1] * AT_A_TIME + [MOST, 1]
