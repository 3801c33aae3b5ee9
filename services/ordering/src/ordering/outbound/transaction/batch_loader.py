"""Many questions asked at once become one statement."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

Fetch = Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]]


class Loader(Generic[Key, Value]):
    """Collects the keys that are asked for and fetches them together, each of them once.

    `fetch` takes distinct keys and returns those that exist.
    """

    def __init__(self, fetch: Fetch[Key, Value]) -> None:
        self._fetch = fetch
        self._asked: dict[Key, asyncio.Future[Value | None]] = {}
        self._pending: list[Key] = []

    def ask(self, key: Key) -> "asyncio.Future[Value | None]":
        """What will be known once `answer` has run."""
        if key not in self._asked:
            self._asked[key] = asyncio.get_running_loop().create_future()
            self._pending.append(key)
        return self._asked[key]

    async def answer(self) -> None:
        """Fetch what is pending; a failure is everybody's who asked."""
        keys, self._pending = self._pending, []
        if not keys:
            return
        try:
            found = await self._fetch(keys)
        except Exception as error:  # handed on to those who asked
            for key in keys:
                self._asked[key].set_exception(error)
                self._asked[key].exception()  # not everybody who asked may still want to know
        else:
            for key in keys:
                self._asked[key].set_result(found.get(key))


class Current(Generic[Value]):
    """The newest state of an aggregate: as last recorded in this transaction, else as loaded.

    It is looked up when awaited, not when asked for, since commands share the transaction.
    """

    def __init__(
        self, loaded: "asyncio.Future[Value | None]", recorded: Callable[[], Value | None]
    ) -> None:
        self._loaded = loaded
        self._recorded = recorded

    def __await__(self) -> Generator[None, None, Value | None]:
        loaded = yield from self._loaded.__await__()
        return self._recorded() or loaded


class Existing(Generic[Key, Value]):
    """Those of the things asked for that exist, once awaited."""

    def __init__(self, asked: "Mapping[Key, asyncio.Future[Value | None]]") -> None:
        self._asked = asked

    def __await__(self) -> Generator[None, None, Mapping[Key, Value]]:
        found = {}
        for key, future in self._asked.items():
            value = yield from future.__await__()
            if value is not None:
                found[key] = value
        return found
