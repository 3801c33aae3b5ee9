"""Batches questions to the store: keys that are asked for while it is busy go out as one question.

aiodataloader does not serve: it dispatches the keys of each turn of the event loop at once and
bounds nothing that is under way (of 640 readers who came one a turn, to a store that took 20 turns,
it made 320 fetches, ten at once; this makes 65, two at once). Its cache has no end, and without the
cache it fetches a key as often as it is wanted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, islice
from typing import Generic, TypeVar

from service_kit.runtime.request_id import REQUEST_ID

from query.views.freshness import begin_noting, note_as_of
from query.views.ports import StoreUnavailable

Key = TypeVar("Key")
Value = TypeVar("Value")

Fetch = Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]]

CONCURRENT_FETCHES_MAX = 2
"""While the store looks for one, the answer of the other is read."""
BATCH_KEYS_MAX = 100
"""Keys in one fetch: no more than the store answers in one go."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Value]):
    """A value as it was loaded."""

    value: Value | None
    as_of: datetime | None
    """As in `Freshness`."""


def _one(_: object) -> int:
    return 1


# decision/0025: questions for an order are asked of MongoDB together
class BatchLoader(Generic[Key, Value]):
    """Loads values by their keys, in batches while many ask.

    There is no timer: while few ask, each key is fetched at once and alone; keys that come while
    `CONCURRENT_FETCHES_MAX` fetches are under way wait until one of them ends, and are its next
    batch. A value is never older than the question for it: a key that is asked for while it is
    being fetched is fetched again. `fetch` takes distinct keys and returns what exists. A batch
    that fails is fetched anew key by key, so that a key fails alone; unless the store is
    unavailable.
    """

    def __init__(
        self,
        fetch: Fetch[Key, Value],
        batch_keys_max: int = BATCH_KEYS_MAX,
        *,
        weigh: Callable[[Key], int] = _one,
        batch_weight_max: int | None = None,
    ) -> None:
        """A batch has one key, or several that together weigh no more than `batch_weight_max`."""
        self._fetch = fetch
        self._batch_keys_max = batch_keys_max
        self._weigh = weigh
        self._batch_weight_max = batch_weight_max
        self._waiting: dict[Key, asyncio.Future[Loaded[Value]]] = {}
        self._workers: list[asyncio.Task[None]] = []

    async def load(self, key: Key) -> Value | None:
        """The value of this key; None if there is none. Raises what `fetch` raises."""
        if key not in self._waiting:
            self._waiting[key] = asyncio.get_running_loop().create_future()
        value = self._waiting[key]
        # a task is done as soon as it found nothing waiting, and its callbacks run a turn later:
        # a worker that was counted until then would leave a key that comes between to nobody
        self._workers = [worker for worker in self._workers if not worker.done()]
        if len(self._workers) < CONCURRENT_FETCHES_MAX:
            self._workers.append(asyncio.create_task(self._load_waiting()))
        loaded = await asyncio.shield(value)  # others may wait for it, too
        note_as_of(loaded.as_of)
        return loaded.value

    async def _load_waiting(self) -> None:
        REQUEST_ID.set("")  # it began with a request, and works for others
        while self._waiting:
            keys = self._next_keys()
            await self._load_batch({key: self._waiting.pop(key) for key in keys})

    def _next_keys(self) -> list[Key]:
        """The keys of the next batch: those that have waited longest."""
        keys = list(islice(self._waiting, self._batch_keys_max))
        if self._batch_weight_max is None:
            return keys
        weights = accumulate(map(self._weigh, keys))
        fitting = sum(weight <= self._batch_weight_max for weight in weights)
        return keys[: max(1, fitting)]

    async def _load_batch(self, batch: Mapping[Key, "asyncio.Future[Loaded[Value]]"]) -> None:
        used = begin_noting()  # in the worker's own context: each who asked notes it for himself
        try:
            found = await self._fetch(list(batch))
        except Exception as error:  # raised to those who asked
            if len(batch) > 1 and not isinstance(error, StoreUnavailable):
                for key, value in batch.items():
                    await self._load_batch({key: value})
                return
            for value in batch.values():
                value.set_exception(error)
                value.exception()  # nobody may want to know any more
        else:
            for key, value in batch.items():
                value.set_result(Loaded(found.get(key), used.as_of))
