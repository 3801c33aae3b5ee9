"""How long somebody may be sent a live feed: until his token is over, or is withdrawn."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import TypeVar

LEASE = "lease"
"""The name in a request's state under which the guard leaves what takes a lease for it."""

Sent = TypeVar("Sent")


class Ending(StrEnum):
    """Why a lease is over; the client is told so."""

    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class LeaseOver(Exception):
    """Nothing may be sent any more."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.value)
        self.ending = ending


class Lease:
    """Somebody's right to be sent what is new, which ends by itself or is taken back."""

    def __init__(
        self, over_at_s: float = math.inf, *, clock: Callable[[], float] = time.time
    ) -> None:
        """`over_at_s` is in seconds since the epoch, as `clock` says them."""
        self._over_at_s = over_at_s
        self._clock = clock
        self._is_withdrawn = False
        self._waiting: asyncio.Timeout | None = None

    @property
    def ending(self) -> Ending | None:
        """Why it is over; None while it is not."""
        if self._is_withdrawn:
            return Ending.WITHDRAWN
        return Ending.EXPIRED if self._clock() >= self._over_at_s else None

    def withdraw(self) -> None:
        """End it now, also if nothing is new."""
        self._is_withdrawn = True
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    async def next_of(self, events: AsyncIterator[Sent], at_end: Sent) -> Sent:
        """The next of the events, as soon as it is there; `at_end` once there are no more.

        Raises LeaseOver if the lease is over before; what the events wait for is then cancelled.
        """
        if ending := self.ending:
            raise LeaseOver(ending)
        waiting = asyncio.timeout(self._left_s())
        try:
            async with waiting:
                self._waiting = waiting
                return await anext(events, at_end)
        except TimeoutError:
            if not waiting.expired():
                raise  # that of something else, which the events waited for
            raise LeaseOver(self.ending or Ending.EXPIRED) from None
        finally:
            self._waiting = None

    def _left_s(self) -> float | None:
        left_s = self._over_at_s - self._clock()
        return None if math.isinf(left_s) else max(0.0, left_s)
