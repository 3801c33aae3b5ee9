"""Loads that are requested together become one statement.

A DataLoader in shape, but not aiodataloader: that one sends each loader's batch by itself as soon
as the event loop turns. Here all loaders of a transaction share one connection, which answers one
statement at a time, and their locks must be taken in one order, table by table and key by key, or
two transactions wait for each other. So the transaction says when each of its loaders fetches.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

Fetch = Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]]


class BatchLoader(Generic[Key, Value]):
    """Collects keys and fetches their values together, each of them once.

    `fetch` takes distinct keys and returns those that exist.
    """

    def __init__(self, fetch: Fetch[Key, Value]) -> None:
        self._fetch = fetch
        self._values: dict[Key, asyncio.Future[Value | None]] = {}
        self._pending: list[Key] = []

    def load(self, key: Key) -> "asyncio.Future[Value | None]":
        """Return this key's value, None if there is none; it is known after `fetch_pending`."""
        if key not in self._values:
            self._values[key] = asyncio.get_running_loop().create_future()
            self._pending.append(key)
        return self._values[key]

    async def fetch_pending(self) -> None:
        """Fetch the values that are not fetched yet; a failure is raised to all who load one."""
        keys, self._pending = self._pending, []
        if not keys:
            return
        try:
            found = await self._fetch(keys)
        except Exception as error:  # handed on to those who wait
            fail_all((self._values[key] for key in keys), error)
        else:
            for key in keys:
                self._values[key].set_result(found.get(key))


class Existing(Generic[Key, Value]):
    """Those of several loads that found something, once awaited."""

    def __init__(self, loads: "Mapping[Key, asyncio.Future[Value | None]]") -> None:
        self._loads = loads

    def __await__(self) -> Generator[None, None, Mapping[Key, Value]]:
        found = {}
        for key, future in self._loads.items():
            value = yield from future.__await__()
            if value is not None:
                found[key] = value
        return found


def fail_all(futures: "Iterable[asyncio.Future[Value]]", error: Exception) -> None:
    """Raise the error to everybody who waits for one of the futures, if anybody does."""
    for future in futures:
        future.set_exception(error)
        future.exception()  # asked for here, so that asyncio does not report it where nobody waits
