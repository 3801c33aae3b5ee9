"""Iterating over much lets other tasks run in between."""

import asyncio

from service_kit.runtime.turns import ITEMS_PER_TURN, in_turns


async def test_others_have_their_turn_after_a_number_of_items() -> None:
    done: list[int] = []

    async def work() -> None:
        async for _ in in_turns(range(3 * ITEMS_PER_TURN)):
            done.append(len(done))

    async def look() -> int:
        return len(done)

    working, looking = asyncio.create_task(work()), asyncio.create_task(look())

    assert await looking == ITEMS_PER_TURN
    await working
    assert done == list(range(3 * ITEMS_PER_TURN))
