"""Going through many things lets whatever else waits for the event loop have its turn."""

import asyncio

from service_kit.runtime.turns import FEW, in_turns


async def test_others_have_their_turn_after_every_few() -> None:
    done: list[int] = []

    async def work() -> None:
        async for _ in in_turns(range(3 * FEW)):
            done.append(len(done))

    async def look() -> int:
        return len(done)

    working, looking = asyncio.create_task(work()), asyncio.create_task(look())

    assert await looking == FEW
    await working
    assert done == list(range(3 * FEW))
