"""First events, from the transactions of this process straight to its relay."""

import asyncio
from collections.abc import Collection, Sequence

from ordering.outbound.outbox.outbox import Waiting

MOST = 1000
"""Events that are kept here: with more, the relay is behind, and takes them from the outbox."""


class HandOver:
    """What the relay need not look for in the outbox.

    An aggregate's first event can overtake none, so it is published without a look at what else is
    waiting, and PostgreSQL tells nobody of it. It is in the outbox all the same: whatever is lost
    here is found there.
    """

    def __init__(self) -> None:
        self.some = asyncio.Event()
        """Set while there may be something to take."""
        self._partitions: Collection[int] = ()
        self._events: list[Waiting] = []

    def open(self, partitions: Collection[int]) -> None:
        """Have events of these partitions handed over, as they are from now on."""
        self._partitions = partitions
        self._events = []

    def close(self) -> None:
        """Have none handed over."""
        self.open(())

    def takes(self, partition: int) -> bool:
        """Whether an event of this partition would be relayed soon."""
        return partition in self._partitions and len(self._events) < MOST

    def give(self, events: Sequence[Waiting]) -> None:
        """Hand first events over that are committed."""
        if events and self._partitions:
            self._events += events
            self.some.set()

    def take(self) -> list[Waiting]:
        """What was handed over."""
        taken, self._events = self._events, []
        return taken
