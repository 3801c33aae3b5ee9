"""A task that is cancelled may clean up, and one that misses it is cancelled again and named."""

import asyncio
import contextlib

from service_kit.runtime.cancellation import cancel_until_ended
from structlog.testing import capture_logs

CLEAN_UP_S = 0.8


async def test_a_task_that_cleans_up_is_not_cut() -> None:
    is_clean = asyncio.Event()

    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(CLEAN_UP_S)
            is_clean.set()

    task = asyncio.create_task(tidy())
    await asyncio.sleep(0)

    await cancel_until_ended([task])

    assert is_clean.is_set()


async def test_a_task_that_misses_being_cancelled_is_cancelled_again_and_named() -> None:
    async def absent_minded() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = asyncio.create_task(absent_minded(), name="follower")
    await asyncio.sleep(0)

    with capture_logs() as logs:
        await cancel_until_ended([task], grace_s=0.01)

    assert task.cancelled()
    assert {line["log_level"] for line in logs} == {"warning"}
    assert "follower" in logs[0]["task"]
    assert "absent_minded" in logs[0]["task"]
