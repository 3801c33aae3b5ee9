"""Slots for dear questions: few at once, and of one who asks fewer still."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from weakref import WeakValueDictionary

from query.views.ports import TooSlow

WAIT_TIMEOUT_S = 2.0
"""For which a question waits for its slot."""


class FairSlots:
    """Lets `total` questions be asked at once, and `each` of one restaurant, or one subject.

    Whoever asks for more waits for his own questions, and takes nobody else's slots. One that waits
    for too long is refused.
    """

    def __init__(self, *, total: int, each: int) -> None:
        self._all = asyncio.Semaphore(total)
        self._each = each
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def slot(self, owner: str) -> AsyncIterator[None]:
        """A slot for as long as the context lasts. Raises TooSlow if there is none in time."""
        own = self._own.get(owner)
        if own is None:
            own = self._own[owner] = asyncio.Semaphore(self._each)
        async with contextlib.AsyncExitStack() as held:
            try:
                async with asyncio.timeout(WAIT_TIMEOUT_S):
                    await held.enter_async_context(own)
                    await held.enter_async_context(self._all)
            except TimeoutError as error:
                raise TooSlow("other questions of this kind were before it") from error
            yield
