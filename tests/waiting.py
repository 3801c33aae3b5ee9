"""Waiting for what sends no event: look often, give up late."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")


async def eventually(look: Callable[[], Awaitable[Found | None]], *, within: float = 60.0) -> Found:
    """What `look` returns once that is neither None nor False; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while not (found := await look()):
        assert time.monotonic() < deadline, f"not within {within:.0f} s"
        await asyncio.sleep(0.02)
    return found
