"""Which generation is live, and which one is filled to replace it: a blue/green switchover.

All of that is one document, the pointer, and each change of it one atomic update.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pymongo.errors import DuplicateKeyError

from query.storage.client import COMMAND_READ_TIMEOUT_S, Database, store_call
from query.storage.generations import POINTER_ID, Generation

HOLDER_LEASE_S = 10.0
"""After which the holder of a candidate who sends no heartbeat is taken to be dead."""
DOUBLE_WRITE_S = 60.0
"""For which the previous generation is still written after a switch."""
CHANGE_ATTEMPTS = 10
"""To change the pointer while others change it, too."""

Sequences = dict[str, int]
"""Of each stream, by its name, a message such that it and all before it are in a generation."""


class NotPossible(Exception):
    """The generations are not in a state for this; the text says why, to a person."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A generation that is being filled, to become the live one."""

    number: int
    holder: str
    """The process that fills it."""
    read: Sequences = field(default_factory=dict)
    back: bool = False
    """Whether it was live before, so that this is a rollback."""
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
class Pointer:
    """Which generation is which, with the names of the stored document."""

    live: int = 1
    last: int = 1
    """The highest number that was ever given."""
    next: Candidate | None = None
    previous: Previous | None = None
    revision: int = 0

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """The pointer that a document holds."""
        candidate, previous = document["next"], document["previous"]
        return cls(
            live=document["live"],
            last=document["last"],
            next=Candidate(**candidate) if candidate else None,
            previous=Previous(**previous) if previous else None,
            revision=document["revision"],
        )

    @property
    def numbers(self) -> set[int]:
        """The generations that there should be."""
        others = {each.number for each in (self.next, self.previous) if each}
        return {self.live, *others}


# decision/0014: a rebuild writes both generations in one transaction
class Switchover:
    """Begins, continues and ends the filling of a candidate.

    Each method raises StoreUnavailable if MongoDB can't do it now.
    """

    def __init__(self, database: Database, holder: str) -> None:
        """`holder` is a name that no other process has."""
        self._database = database
        self._pointers = database[POINTER_ID]
        self._holder = holder

    async def pointer(self) -> Pointer:
        """The pointer as it is now."""
        async with store_call(COMMAND_READ_TIMEOUT_S):
            found = await self._pointers.find_one({"_id": POINTER_ID})
        return Pointer.of(found) if found else Pointer()

    async def begin(self) -> Candidate:
        """Begin a new generation, or go on with the one of a process that died.

        From now on every change is written to it, too. Raises NotPossible while another process
        fills one; it takes `HOLDER_LEASE_S` to know whether it does.
        """

        def with_new_candidate(pointer: Pointer) -> Pointer:
            number = pointer.last + 1
            return replace(pointer, last=number, next=Candidate(number, self._holder))

        return await self._begin(with_new_candidate, back=False)

    async def begin_rollback(self) -> Candidate:
        """Make the previous generation the candidate, or go on with a rollback; as `begin`."""

        def with_previous_as_candidate(pointer: Pointer) -> Pointer:
            previous = pointer.previous
            if previous is None:
                raise NotPossible("There is no previous generation to go back to.")
            candidate = Candidate(previous.number, self._holder, previous.read, back=True)
            return replace(pointer, next=candidate, previous=None)

        return await self._begin(with_previous_as_candidate, back=True)

    async def beat(self, read: Sequences) -> None:
        """Say that we are alive, and how far the candidate is filled.

        Raises NotPossible if it has been taken from us.
        """
        async with store_call(COMMAND_READ_TIMEOUT_S):
            result = await self._pointers.update_one(
                {"_id": POINTER_ID, "next.holder": self._holder},
                {"$set": {"next.read": read}, "$inc": {"next.beat": 1, "revision": 1}},
            )
        if not result.matched_count:
            raise NotPossible("The generation was abandoned, or taken over by another process.")

    async def switch(self, candidate: int, read_by_live: Sequences) -> None:
        """Make the candidate of this number the live generation; keep the other for a rollback.

        `read_by_live` says which messages are surely in the generation that was live. Safe to
        repeat: one that is live already stays so. Raises NotPossible if the candidate has been
        taken from us.
        """

        def switched(pointer: Pointer) -> Pointer:
            if pointer.live == candidate:
                return pointer
            ours = self._ours(pointer)
            until = datetime.now(UTC) + timedelta(seconds=DOUBLE_WRITE_S)
            previous = Previous(pointer.live, read_by_live, until)
            return replace(pointer, live=ours.number, next=None, previous=previous)

        await self._change(switched)

    async def abandon(self) -> int:
        """Give up the candidate; one that was live before is kept for another rollback.

        Returns its number. Raises NotPossible if there is none, or somebody is filling it.
        """
        candidate = (await self.pointer()).next
        if candidate is None:
            raise NotPossible("No generation is being filled.")
        await self._take_over(candidate)

        def abandoned(pointer: Pointer) -> Pointer:
            ours = self._ours(pointer)
            kept = Previous(ours.number, ours.read, datetime.now(UTC)) if ours.back else None
            return replace(pointer, next=None, previous=kept or pointer.previous)

        await self._change(abandoned)
        return candidate.number

    async def forget_previous(self) -> None:
        """Do without the previous generation."""
        await self._change(lambda pointer: replace(pointer, previous=None))

    async def sweep(self) -> list[int]:
        """Drop the generations that nobody needs any more. Returns their numbers. Safe to repeat.

        What was dropped before is not told again. Dropped is only what a switchover made: what has
        exactly the name of a generation's collection, and a number that was given before this call.
        """
        pointer = await self.pointer()
        async with store_call(COMMAND_READ_TIMEOUT_S):
            names = await self._database.list_collection_names()
        given = set(range(1, pointer.last + 1)) - pointer.numbers
        dropped = set()
        for number in given:
            for collection in Generation(self._database, number).collections:
                if collection.name in names:
                    async with store_call(COMMAND_READ_TIMEOUT_S):
                        await collection.drop()
                    dropped.add(number)
        return sorted(dropped)

    async def _begin(self, change: Callable[[Pointer], Pointer], *, back: bool) -> Candidate:
        def begun(pointer: Pointer) -> Pointer:
            if pointer.next:
                raise NotPossible("Another process is filling the next generation.")
            return change(pointer)

        candidate = (await self.pointer()).next
        if candidate is None:
            await self._change(begun)
        elif candidate.back != back:
            what = "a rollback" if candidate.back else "a rebuild"
            raise NotPossible(f"There is {what} under way: finish or abandon it first.")
        else:
            await self._take_over(candidate)
        return self._ours(await self.pointer())

    async def _take_over(self, candidate: Candidate) -> None:
        """Become the holder, unless the present one sends a heartbeat."""
        await asyncio.sleep(HOLDER_LEASE_S)
        pointer = await self.pointer()
        if pointer.next != candidate:
            raise NotPossible("Another process is filling the next generation.")
        ours = replace(pointer, next=replace(candidate, holder=self._holder))
        if not await self._replaced(pointer, ours):
            raise NotPossible("Another process is filling the next generation.")

    def _ours(self, pointer: Pointer) -> Candidate:
        if pointer.next is None or pointer.next.holder != self._holder:
            raise NotPossible("The generation was abandoned, or taken over by another process.")
        return pointer.next

    async def _change(self, change: Callable[[Pointer], Pointer]) -> None:
        """Change the pointer, again if another process has changed it meanwhile.

        `change` takes the pointer as it is and returns it as it shall be; it raises NotPossible if
        that can't be, and returns the very same one if there is nothing to do.
        """
        for _ in range(CHANGE_ATTEMPTS):
            pointer = await self.pointer()
            changed = change(pointer)
            if changed is pointer or await self._replaced(pointer, changed):
                return
        raise NotPossible("Other processes change the generations all the time.")

    async def _replaced(self, pointer: Pointer, by: Pointer) -> bool:
        """Replace the pointer; False if it is not what it was any more."""
        document = {"_id": POINTER_ID, **asdict(by), "revision": pointer.revision + 1}
        known = {"_id": POINTER_ID, "revision": pointer.revision}
        try:
            async with store_call(COMMAND_READ_TIMEOUT_S):
                result = await self._pointers.replace_one(
                    known, document, upsert=not pointer.revision
                )
        except DuplicateKeyError:
            return False
        return bool(result.matched_count or result.upserted_id)
