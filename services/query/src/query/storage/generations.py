"""Generations of the views: one is live, and others may be filled beside it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from pymongo import ReadPreference, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.read_concern import ReadConcern
from service_kit.runtime.components import Ready

from query.storage.client import WRITE_TIMEOUT_S, Collection, Database, store_call, write_to_all
from query.storage.members import SNAPSHOT, Members
from query.views.freshness import note_as_of
from query.views.ports import StoreUnavailable

Answer = TypeVar("Answer")

POINTER_ID = "generations"
"""The collection and the `_id` of the document that says which generation is which."""
KEPT_NAME = {"$regex": "^orders-[0-9]+$"}
POINTER_POLL_INTERVAL_S = 1.0
"""Between two reads of the pointer; for a minute after a switch both generations are written."""


class Generation:
    """One whole set of views, in collections of its own. Each attribute that is one is part of it.

    A new generation is filled by the same writes, so a store must be able to `set_up` its
    collections in each.
    """

    def __init__(self, database: Database, number: int, *, is_current: bool = True) -> None:
        self.number = number
        self.is_current = is_current
        """Whether it is read from a primary; else from any member, which may be behind."""
        self.orders: Collection = database[f"orders-{number}"]
        self.menu: Collection = database[f"menu-{number}"]
        self.restaurants: Collection = database[f"restaurants-{number}"]
        self.sales_days: Collection = database[f"sales-days-{number}"]
        self.sales_hours: Collection = database[f"sales-hours-{number}"]

    @property
    def collections(self) -> list[Collection]:
        """All of them."""
        return [each for each in vars(self).values() if isinstance(each, AsyncCollection)]


# decision/0014: a rebuild writes both generations in one transaction
class Generations:
    """Knows which generation is read, and to which ones changes are written.

    Readers take `live` once for each answer; whoever keeps something of it checks later whether it
    is still the live one. Writers call `written` for each batch, or just `write`.
    """

    def __init__(self, database: Database, live: int | None = 1) -> None:
        """Without a `live` generation to start from there is none until the pointer was read."""
        self.members = Members(database.client)
        self._database = database
        self._anywhere = database.with_options(read_preference=ReadPreference.PRIMARY_PREFERRED)
        self._known: dict[int, Generation] = {}
        self._live = live

    @property
    def live(self) -> Generation:
        """The generation that answers. Raises StoreUnavailable while it is not known."""
        if self._live is None:
            raise StoreUnavailable("it is not known yet which generation is live")
        return self._generation(self._live)

    # decision/0049: reads go on without a primary
    async def answer(
        self, question: Callable[[Generation], Awaitable[Answer]], *, only_current: bool = False
    ) -> Answer:
        """The answer to a question about the live generation: of the primary or, while there is
        none, of any member, which may be behind; of no other than a primary if `only_current`.

        If it was not a primary's, whoever asks has that noted (`views/freshness.py`). Raises what
        `question` raises.
        """
        if only_current:
            return await question(self.live)
        if not self.members.are_without_primary:
            try:
                return await question(self.live)
            except StoreUnavailable:
                if not self.members.are_without_primary:
                    raise
        as_of = self.members.as_of()
        answer = await question(Generation(self._anywhere, self.live.number, is_current=False))
        note_as_of(as_of)
        return answer

    def snapshot_of(self, generation: Generation) -> ReadConcern:
        """A read concern: one state of the store, of a primary no older than clients were told."""
        return self.members.snapshot() if generation.is_current else ReadConcern(SNAPSHOT)

    async def written(self) -> Sequence[Generation]:
        """The generations that a change received before this call must reach.

        It is read from the store each time. So a change that came after a rebuild had begun reaches
        the new generation, and what came before is what the rebuild reads from the streams.
        """
        pointer = await self.refresh()
        return [self._generation(number) for number in _written(pointer)]

    async def kept(self) -> Sequence[Generation]:
        """The generations that are there and are not written: such as the one to roll back to."""
        written = {each.number for each in await self.written()}
        async with store_call(WRITE_TIMEOUT_S):
            names = await self._database.list_collection_names(filter={"name": KEPT_NAME})
        numbers = {int(name.rpartition("-")[2]) for name in names}
        return [self._generation(number) for number in sorted(numbers - written)]

    async def write(
        self, of: Callable[[Generation], Collection], operations: Sequence[UpdateOne]
    ) -> None:
        """Do the operations on this collection of each generation that is written.

        If there are several they change at the same instant, so that no client sees a step back,
        whichever of them it is answered from. Raises what `client.write` raises.
        """
        if operations:
            await write_to_all([of(each) for each in await self.written()], operations)

    async def refresh(self) -> dict[str, Any]:
        """Read the pointer. Raises StoreUnavailable if that can't be done now."""
        async with store_call(WRITE_TIMEOUT_S):
            found = await self._database[POINTER_ID].find_one({"_id": POINTER_ID})
        pointer = found or {"live": 1}
        self._live = pointer["live"]
        return pointer

    async def follow(self, ready: Ready) -> None:
        """Keep `live` up to date. It does not change while there is no primary."""
        while True:
            if self._live is None or not self.members.are_without_primary:
                await self.refresh()
            ready()
            await asyncio.sleep(POINTER_POLL_INTERVAL_S)

    def _generation(self, number: int) -> Generation:
        if number not in self._known:
            self._known[number] = Generation(self._database, number)
        return self._known[number]


class OneGeneration(Generations):
    """A single generation, live or not, to be written and read on its own."""

    def __init__(self, database: Database, number: int) -> None:
        super().__init__(database, number)
        self._pointer = {"live": number}

    async def refresh(self) -> dict[str, Any]:
        return self._pointer


def _written(pointer: dict[str, Any]) -> list[int]:
    """The live one; the next one; the previous one until every reader has left it."""
    numbers = [pointer["live"]]
    if candidate := pointer.get("next"):
        numbers.append(candidate["number"])
    previous = pointer.get("previous")
    if previous and previous["until"].replace(tzinfo=UTC) > datetime.now(UTC):
        numbers.append(previous["number"])
    return numbers
