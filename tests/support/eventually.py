"""Waits for what sends no event: looks often, gives up late."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

Found = TypeVar("Found")

LOOK_INTERVAL_S = 0.02


@overload
async def eventually(
    look: Callable[[], Awaitable[Found | None]], *, within: float = ...
) -> Found: ...


@overload
async def eventually(
    look: Callable[[], Awaitable[Found]],
    is_enough: Callable[[Found], bool],
    *,
    within: float = ...,
) -> Found: ...


async def eventually(
    look: Callable[[], Awaitable[Any]],
    is_enough: Callable[[Any], bool] = bool,
    *,
    within: float = 60.0,
) -> Any:
    """What `look` returns once that `is_enough`: unless told otherwise, neither None nor False.

    Fails after `within` seconds.
    """
    deadline = time.monotonic() + within
    while not is_enough(found := await look()):
        assert time.monotonic() < deadline, f"after {within:.0f} s it is still {found!r}"
        await asyncio.sleep(LOOK_INTERVAL_S)
    return found
