"""How a task is ended, though it may miss being cancelled."""

import asyncio
from collections.abc import Collection
from typing import Any

CANCEL_RETRY_INTERVAL_S = 0.5


async def cancel_until_ended(
    tasks: Collection[asyncio.Task[Any]], *, retry_s: float = CANCEL_RETRY_INTERVAL_S
) -> None:
    """Cancel the tasks, wait for their end, and cancel again after `retry_s` those that go on.

    On Python 3.11 `wait_for`, which the drivers call, swallows a cancellation that comes in the
    same turn of the event loop as what it waited for; the task then goes on, for ever if it is a
    loop. How a task ended is not told.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=retry_s)
