"""Iterating over much on an event loop, such that other tasks run in between."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")

ITEMS_PER_TURN = 16
"""Items that are handled before other tasks may run."""


async def in_turns(
    items: Iterable[Item], *, items_per_turn: int = ITEMS_PER_TURN
) -> AsyncIterator[Item]:
    """Yield each item, and let the event loop's other tasks run after every `items_per_turn`."""
    for count, item in enumerate(items, 1):
        yield item
        if count % items_per_turn == 0:
            await asyncio.sleep(0)
