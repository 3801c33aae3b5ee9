"""First events, from the transactions of this process straight to its relay."""

import asyncio
from collections.abc import Collection, Sequence

from ordering.outbound.outbox.outbox import CommittedEvent

MAX_EVENTS, MAX_BYTES = 1000, 8 * 1024 * 1024
"""Events that are kept here, and what their bodies have: with more, the relay is behind, and takes
them from the outbox.
"""


# decision/0028: a first event needs no look at the outbox
class FirstEvents:
    """The aggregates' first events, for the relay to publish without a look into the outbox.

    An aggregate's first event can overtake none, so it is published whatever else is unpublished,
    and PostgreSQL notifies nobody of it. It is in the outbox all the same: an event that is lost
    here is found there.
    """

    def __init__(self) -> None:
        self.wakeup = asyncio.Event()
        """Set while there may be something to take."""
        self._partitions: Collection[int] = ()
        self._events: list[CommittedEvent] = []
        self._body_bytes = 0

    def open(self, partitions: Collection[int]) -> None:
        """Accept events of these partitions from now on; drop those that were not taken."""
        self._partitions = partitions
        self.take()

    def close(self) -> None:
        """Accept no events any more."""
        self.open(())

    def accepts(self, partition: int) -> bool:
        """Whether an event of this partition would be published from here soon."""
        has_room = len(self._events) < MAX_EVENTS and self._body_bytes < MAX_BYTES
        return partition in self._partitions and has_room

    def put(self, events: Sequence[CommittedEvent]) -> None:
        """Give the relay first events that are committed."""
        if events and self._partitions:
            self._events += events
            self._body_bytes += sum(len(event.body) for event in events)
            self.wakeup.set()

    def take(self) -> list[CommittedEvent]:
        """Remove and return the events that are here."""
        taken, self._events, self._body_bytes = self._events, [], 0
        return taken
