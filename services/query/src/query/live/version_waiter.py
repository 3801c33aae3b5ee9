"""Waits until the view of an order has changed, whichever replica of this service wrote it."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from query.live.change_stream import ChangeListener, ChangeStream
from query.live.position import Position

POLL_INTERVAL_S = 0.5
"""After which one who waits reads again while changes are not told."""
OPEN_POLL_INTERVAL_S = 2.0
"""After which one who waits reads again although changes are told, and none was."""
WAITS_MAX = 4000
"""Waits in this process; a request waits once for each order that it names."""
WAITS_OF_ONE_RESTAURANT_MAX = 400
"""Of them for one restaurant, and as many for its guests: whoever waits for what never comes takes
nobody else's place."""

Result = TypeVar("Result")


class ChangeStreamVersionWaiter(ChangeListener):
    """The port `VersionWaiter`, woken by the change stream.

    No change is missed: one who waits registers before it reads, and whenever the stream opens
    everybody reads again. While the stream can't be opened they read every `POLL_INTERVAL_S`.
    """

    def __init__(self, changes: ChangeStream) -> None:
        self._changes = changes
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._waits: Counter[str] = Counter()
        changes.add(self)

    async def read_until(
        self,
        payer: str,
        order_id: str,
        read: Callable[[], Awaitable[Result]],
        is_enough: Callable[[Result], bool],
        timeout_s: float,
    ) -> Result:
        clock = asyncio.get_running_loop().time
        end = clock() + timeout_s
        with self._changes_of(payer, order_id) as changed:
            while True:
                result = await read()
                left = end - clock()
                if is_enough(result) or left <= 0 or changed is None:
                    return result
                is_told = self._changes.request() and bool(order_id)
                pause = OPEN_POLL_INTERVAL_S if is_told else POLL_INTERVAL_S
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left, pause)):
                        await changed.wait()
                changed.clear()

    async def on_open(self, begin: Position) -> None:  # noqa: ARG002 - whenever that was
        """Have everybody read: their orders may have changed before."""
        for order_id in list(self._waiting):
            self.on_change(order_id)

    def on_change(self, key: str) -> None:
        """Have those read who wait for the order with this id."""
        for changed in self._waiting.get(key, ()):
            changed.set()

    @contextlib.contextmanager
    def _changes_of(self, payer: str, order_id: str) -> Iterator[asyncio.Event | None]:
        """Set whenever the order changes; None if there are too many waits already."""
        of_payer = self._waits[payer]
        if of_payer >= WAITS_OF_ONE_RESTAURANT_MAX or self._waits.total() >= WAITS_MAX:
            yield None
            return
        self._waits[payer] += 1
        changed = asyncio.Event()
        self._waiting.setdefault(order_id, set()).add(changed)
        try:
            yield changed
        finally:
            self._waits[payer] -= 1
            if not self._waits[payer]:
                del self._waits[payer]
            self._waiting[order_id].discard(changed)
            if not self._waiting[order_id]:
                del self._waiting[order_id]
