"""What the operating system tells the service."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def told_to_end(prepare: Callable[[], None]) -> Iterator[None]:
    """Call `prepare` on SIGTERM or SIGINT, too, before what has been done so far.

    The HTTP server gives a request that is being answered time to end, and tells it nothing: an
    answer that never ends by itself has to hear of the signal in another way.
    """
    loop = asyncio.get_running_loop()
    so_far = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def told(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(prepare)
        handler = so_far[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in so_far:
        signal.signal(number, told)
    try:
        yield
    finally:
        for number, handler in so_far.items():
            signal.signal(number, handler)
