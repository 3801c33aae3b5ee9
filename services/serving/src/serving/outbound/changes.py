"""The latest changes of tickets, and the readers who wait for the next ones."""

import contextlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from comanda_contracts import Unreadable
from prometheus_client import Counter, Gauge
from service_kit.http.live_feed import Reader, Readers, ReplayBuffer

from serving.outbound.kitchen import restaurant_of, ticket_of
from serving.published import Changed

READERS = Gauge("comanda_serving_live_readers", "Readers of the live queues")
TOO_SLOW = Counter("comanda_serving_live_readers_too_slow", "Readers sent away as too slow")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message of the stream as it came: it is read only when somebody wants it."""

    sequence: int
    subject: str
    headers: Mapping[str, str] | None
    body: bytes

    @property
    def restaurant(self) -> str | None:
        """Whose it is; None if the subject is not that of a ticket's event."""
        with contextlib.suppress(Unreadable):
            return restaurant_of(self.subject)
        return None

    def read(self) -> Changed | None:
        """The change; None for what can't be read, which the kitchen has logged."""
        with contextlib.suppress(Unreadable):
            return Changed(self.sequence, ticket_of(self.headers, self.body))
        return None


class Changes:
    """The changes of one run through the stream, the latest of them kept.

    It begins after the sequence `begin`: what was before is not known.
    """

    def __init__(self, begin: int = 0) -> None:
        self.begin = begin
        self._kept: ReplayBuffer[int, Arrival] = ReplayBuffer(begin)
        self._readers: Readers[Changed] = Readers(READERS, TOO_SLOW)

    def note(self, arrival: Arrival) -> None:
        """Take in the stream's next message and tell the restaurant's readers."""
        restaurant = arrival.restaurant
        self._kept.append(arrival.sequence, restaurant, arrival)
        if restaurant and restaurant in self._readers.topics and (change := arrival.read()):
            self._readers.publish(restaurant, change)

    def since(self, restaurant: str, sequence: int) -> list[Changed] | None:
        """The restaurant's changes after `sequence`; None if not all are known, or too many."""
        missed = self._kept.since(restaurant, sequence)
        if missed is None:
            return None
        return [change for _, arrival in missed if (change := arrival.read())]

    def reader(self, restaurant: str) -> AbstractContextManager[Reader[Changed]]:
        """One more reader of the restaurant's changes from now on."""
        return self._readers.reader(restaurant)

    def end(self) -> None:
        """End all readers."""
        self._readers.end()
