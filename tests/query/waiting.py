"""Waiting for what sends no event: look often, give up late."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Seen = TypeVar("Seen")


async def eventually(
    look: Callable[[], Awaitable[Seen]], enough: Callable[[Seen], bool], *, within: float = 40.0
) -> Seen:
    """What `look` gives once it is `enough`; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while not enough(seen := await look()):
        assert time.monotonic() < deadline, f"after {within:.0f} s it is still {seen!r}"
        await asyncio.sleep(0.02)
    return seen
