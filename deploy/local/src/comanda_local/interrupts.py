"""Ctrl-C, SIGTERM and a closed terminal end a command in order, once."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN_AFTER_S = 0.05
"""Seconds after which an interrupt that was dropped is raised again."""

Result = TypeVar("Result")


class _Running:
    """What an interrupt cancels; None while nothing runs in an event loop."""

    task: asyncio.Task[Any] | None = None


def interrupt_in_order() -> None:
    """From now on a signal is a KeyboardInterrupt; what comes while all is stopped is ignored.

    What a signal's handler raises comes up wherever Python is just then. That may be the callback
    of a weak reference, which drops it: the command would go on for ever. So it is raised again.
    """
    for number in (*SIGNALS, signal.SIGALRM):
        signal.signal(number, _interrupt)
    sys.unraisablehook = _raise_again


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run`, of which a signal cancels the main task. Raises KeyboardInterrupt then."""

    async def noted() -> Result:
        _Running.task = asyncio.current_task()
        try:
            return await main
        finally:
            _Running.task = None

    try:
        return asyncio.run(noted())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if _Running.task is None:
        raise KeyboardInterrupt
    _Running.task.get_loop().call_soon_threadsafe(_Running.task.cancel)


def _raise_again(dropped: "sys.UnraisableHookArgs") -> None:
    if dropped.exc_type is KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, AGAIN_AFTER_S)
    else:
        sys.__unraisablehook__(dropped)
