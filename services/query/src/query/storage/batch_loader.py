"""Questions to the store, asked together when many come at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

Fetch = Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]]

AT_A_TIME = 2
"""Questions that are under way: while the store looks for one, the other's answer is read."""
MOST = 100
"""Keys in one question: no more than the store answers in one go."""


class Together(Generic[Key, Value]):
    """Fetches what is asked for one by one, several at a time.

    There is no timer: while few ask, each is asked at once and alone; what comes while enough
    questions are under way waits for one of them to end, and goes out as the next. So what is
    answered was read after it was asked for. `fetch` takes distinct keys, and returns what exists.
    """

    def __init__(self, fetch: Fetch[Key, Value], most: int = MOST) -> None:
        self._fetch = fetch
        self._most = most
        self._waiting: dict[Key, asyncio.Future[Value | None]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, key: Key) -> Value | None:
        """What there is by this key; None if nothing is. Raises what `fetch` raises."""
        if key not in self._waiting:
            self._waiting[key] = asyncio.get_running_loop().create_future()
        answer = self._waiting[key]
        if len(self._under_way) < AT_A_TIME:
            task = asyncio.create_task(self._answer_all())
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(answer)  # others may wait for it, too

    async def _answer_all(self) -> None:
        while self._waiting:
            keys = list(self._waiting)[: self._most]
            await self._answer({key: self._waiting.pop(key) for key in keys})

    async def _answer(self, asked: Mapping[Key, "asyncio.Future[Value | None]"]) -> None:
        try:
            found = await self._fetch(list(asked))
        except Exception as error:  # told to those who asked
            for answer in asked.values():
                answer.set_exception(error)
                answer.exception()  # nobody may want to know any more
        else:
            for key, answer in asked.items():
                answer.set_result(found.get(key))
