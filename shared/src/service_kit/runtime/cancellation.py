"""How a task is ended, though it may miss being cancelled."""

import asyncio
from collections.abc import Collection
from typing import Any

import structlog

log = structlog.get_logger()

CLEAN_UP_GRACE_S = 5.0


async def cancel_until_ended(
    tasks: Collection[asyncio.Task[Any]], *, grace_s: float = CLEAN_UP_GRACE_S
) -> None:
    """Cancel the tasks, wait for their end, and cancel again those that go on after `grace_s`.

    On Python 3.11 `wait_for`, which the drivers call, swallows a cancellation that comes in the
    same turn of the event loop as what it waited for; the task then goes on, for ever if it is a
    loop. From without it looks like one that cleans up, which is given the grace to do so. Each
    that is cancelled again is named in the log. How a task ended is not told.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        _, pending_still = await asyncio.wait(pending, timeout=grace_s)
        for task in pending_still:
            log.warning("task goes on though it was cancelled", task=repr(task), after_s=grace_s)
