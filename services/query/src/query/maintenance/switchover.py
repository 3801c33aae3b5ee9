"""Which generation follows which: the pointer, and every change of it as one atomic update."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pymongo.errors import DuplicateKeyError

from query.storage.client import COMMAND_READ_TIMEOUT_S, Database, store_call
from query.storage.generations import POINTER_ID, Generation

LEASE = 10.0
"""Seconds after which a filling of which nothing is heard is taken to be dead."""
GRACE = 60.0
"""Seconds for which the previous generation is still written after a switch."""
TRIES = 10
"""How often a change of the pointer is tried while others change it, too."""

_NUMBERED = re.compile(r"[a-z-]+-(\d+)")

Sequences = dict[str, int]
"""Of each stream, by its name, a message such that it and all before it are in a generation."""


class NotPossible(Exception):
    """The generations are not in a state for this; the text says why, to a person."""


@dataclass(frozen=True, slots=True)
class Filling:
    """A generation that is being filled."""

    number: int
    holder: str
    """Who fills it."""
    read: Sequences = field(default_factory=dict)
    back: bool = False
    """Whether it was live before."""
    beat: int = 0
    """Changes for as long as the holder lives."""


@dataclass(frozen=True, slots=True)
class Previous:
    """The generation that was live before."""

    number: int
    read: Sequences
    until: datetime
    """Until then it is written, too; UTC."""


@dataclass(frozen=True, slots=True)
class State:
    """Which generation is which."""

    live: int = 1
    last: int = 1
    """The highest number that was ever given."""
    next: Filling | None = None
    previous: Previous | None = None
    revision: int = 0

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """The state that a document holds."""
        filling, previous = document["next"], document["previous"]
        return cls(
            live=document["live"],
            last=document["last"],
            next=Filling(**filling) if filling else None,
            previous=Previous(**previous) if previous else None,
            revision=document["revision"],
        )

    @property
    def numbers(self) -> set[int]:
        """The generations that there should be."""
        others = {each.number for each in (self.next, self.previous) if each}
        return {self.live, *others}


class Succession:
    """Begins, continues and ends the filling of a generation.

    Raises StoreUnavailable if it can't now.
    """

    def __init__(self, database: Database, holder: str) -> None:
        """`holder` is a name that no other process has."""
        self._database = database
        self._pointers = database[POINTER_ID]
        self._holder = holder

    async def state(self) -> State:
        """How things are."""
        async with store_call(COMMAND_READ_TIMEOUT_S):
            found = await self._pointers.find_one({"_id": POINTER_ID})
        return State.of(found) if found else State()

    async def begin(self) -> Filling:
        """Begin to fill a new generation, or go on where a process that died has left off.

        From now on every change is written to it, too. Raises NotPossible while another process
        fills one; it takes some seconds to know whether it does.
        """

        def new(state: State) -> State:
            number = state.last + 1
            return replace(state, last=number, next=Filling(number, self._holder))

        return await self._begin(new, back=False)

    async def begin_rollback(self) -> Filling:
        """Begin to bring the previous generation up to date, or go on with that; as `begin`."""

        def old(state: State) -> State:
            if state.previous is None:
                raise NotPossible("There is no previous generation to go back to.")
            filling = Filling(state.previous.number, self._holder, state.previous.read, back=True)
            return replace(state, next=filling, previous=None)

        return await self._begin(old, back=True)

    async def beat(self, read: Sequences) -> None:
        """Say that we are alive, and how far the generation is filled.

        Raises NotPossible if it has been taken from us.
        """
        async with store_call(COMMAND_READ_TIMEOUT_S):
            result = await self._pointers.update_one(
                {"_id": POINTER_ID, "next.holder": self._holder},
                {"$set": {"next.read": read}, "$inc": {"next.beat": 1, "revision": 1}},
            )
        if not result.matched_count:
            raise NotPossible("The generation was abandoned, or taken over by another process.")

    async def switch(self, in_the_old_one: Sequences) -> None:
        """Make the generation that we fill the live one, and keep the other for a rollback.

        `in_the_old_one` says which messages are surely in it.
        """

        def switched(state: State) -> State:
            filling = self._ours(state)
            previous = Previous(
                state.live, in_the_old_one, datetime.now(UTC) + timedelta(seconds=GRACE)
            )
            return replace(state, live=filling.number, next=None, previous=previous)

        await self._change(switched)

    async def abandon(self) -> int:
        """Give up the next generation; one that was live before is kept for another rollback.

        Returns its number. Raises NotPossible if there is none, or somebody is filling it.
        """
        filling = (await self.state()).next
        if filling is None:
            raise NotPossible("No generation is being filled.")
        await self._take_over(filling)

        def abandoned(state: State) -> State:
            ours = self._ours(state)
            kept = Previous(ours.number, ours.read, datetime.now(UTC)) if ours.back else None
            return replace(state, next=None, previous=kept or state.previous)

        await self._change(abandoned)
        return filling.number

    async def forget_previous(self) -> None:
        """Do without the previous generation."""
        await self._change(lambda state: replace(state, previous=None))

    async def sweep(self) -> list[int]:
        """Drop what is left of generations that nobody needs any more. Returns their numbers."""
        wanted = (await self.state()).numbers
        names = await self._database.list_collection_names()
        there = {int(match[1]) for name in names if (match := _NUMBERED.fullmatch(name))}
        for number in there - wanted:
            for collection in Generation(self._database, number).collections:
                await collection.drop()
        return sorted(there - wanted)

    async def _begin(self, new: Callable[[State], State], *, back: bool) -> Filling:
        def begun(state: State) -> State:
            if state.next:
                raise NotPossible("Another process is filling the next generation.")
            return new(state)

        filling = (await self.state()).next
        if filling is None:
            await self._change(begun)
        elif filling.back != back:
            what = "a rollback" if filling.back else "a rebuild"
            raise NotPossible(f"There is {what} under way: finish or abandon it first.")
        else:
            await self._take_over(filling)
        return self._ours(await self.state())

    async def _take_over(self, filling: Filling) -> None:
        """Become the holder, unless the present one is heard of."""
        await asyncio.sleep(LEASE)
        state = await self.state()
        if state.next != filling:
            raise NotPossible("Another process is filling the next generation.")
        ours = replace(state, next=replace(filling, holder=self._holder))
        if not await self._replaced(state, ours):
            raise NotPossible("Another process is filling the next generation.")

    def _ours(self, state: State) -> Filling:
        if state.next is None or state.next.holder != self._holder:
            raise NotPossible("The generation was abandoned, or taken over by another process.")
        return state.next

    async def _change(self, change: Callable[[State], State]) -> None:
        """Change the pointer from what it is to what it shall be; again if it has moved meanwhile.

        `change` raises NotPossible if the state is not one that it can be done in.
        """
        for _ in range(TRIES):
            state = await self.state()
            if await self._replaced(state, change(state)):
                return
        raise NotPossible("Other processes change the generations all the time.")

    async def _replaced(self, state: State, by: State) -> bool:
        """Whether the state was still the one that is replaced."""
        document = {"_id": POINTER_ID, **asdict(by), "revision": state.revision + 1}
        known = {"_id": POINTER_ID, "revision": state.revision}
        try:
            async with store_call(COMMAND_READ_TIMEOUT_S):
                result = await self._pointers.replace_one(
                    known, document, upsert=not state.revision
                )
        except DuplicateKeyError:
            return False
        return bool(result.matched_count or result.upserted_id)
