"""Going through many things on an event loop that others wait for, too."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Thing = TypeVar("Thing")

FEW = 16
"""Things in a row."""


async def in_turns(things: Iterable[Thing], *, in_a_row: int = FEW) -> AsyncIterator[Thing]:
    """Each of the things; after every few, whatever else waits for the event loop has its turn."""
    for count, thing in enumerate(things, 1):
        yield thing
        if count % in_a_row == 0:
            await asyncio.sleep(0)
