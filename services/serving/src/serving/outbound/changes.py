"""The latest changes of tickets, and the readers who wait for the next ones."""

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

import structlog
from comanda_contracts import Unreadable
from prometheus_client import Counter, Gauge

from serving.outbound.kitchen import restaurant_of, ticket_of
from serving.published import Changed

log = structlog.get_logger()

KEPT = 10_000
"""Changes, over all restaurants, that are kept for readers who come back."""
BEHIND = 1_000
"""Changes that a reader may be behind; one that is more is told to begin anew."""
HEARTBEAT = 15.0
"""Seconds without a change after which a reader is told that there is none."""

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


class Reader:
    """What one reader has still to be sent: it ends rather than grow without bound."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Changed | None] = asyncio.Queue(BEHIND)

    def tell(self, change: Changed) -> bool:
        """Whether there was room for the change; if not, the reader is at its end."""
        if self._waiting.full():
            self.end()
            return False
        self._waiting.put_nowait(change)
        return True

    def end(self) -> None:
        """Let the reader come to its end at once: it will ask again for what it has not got."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def news(self) -> AsyncIterator[Changed | None]:
        """The changes as they come, until the end; None whenever nothing came for a while."""
        while True:
            try:
                async with asyncio.timeout(HEARTBEAT):
                    change = await self._waiting.get()
            except TimeoutError:
                yield None
                continue
            if change is None:
                return
            yield change


class Changes:
    """The changes of one run through the stream, the latest of them kept."""

    def __init__(self) -> None:
        self._kept: deque[Arrival] = deque()
        self._forgotten = self._last = 0
        self._readers: dict[str, set[Reader]] = defaultdict(set)

    def note(self, arrival: Arrival) -> None:
        """Take in the stream's next message and tell the restaurant's readers."""
        if len(self._kept) == KEPT:
            self._forgotten = self._kept.popleft().sequence
        self._kept.append(arrival)
        self._last = arrival.sequence
        readers = self._readers.get(arrival.restaurant or "")
        if readers and (change := arrival.read()):
            for reader in [each for each in readers if not each.tell(change)]:
                readers.discard(reader)
                TOO_SLOW.inc()
                log.info("live reader too slow", restaurant=arrival.restaurant)

    def since(self, restaurant: str, sequence: int) -> list[Changed] | None:
        """The restaurant's changes after `sequence`; None if not all are known, or too many."""
        if not self._forgotten <= sequence <= self._last:
            return None
        missed = [
            arrival
            for arrival in self._kept
            if arrival.sequence > sequence and arrival.restaurant == restaurant
        ]
        if len(missed) > BEHIND:
            return None
        return [change for arrival in missed if (change := arrival.read())]

    @contextlib.contextmanager
    def reader(self, restaurant: str) -> Iterator[Reader]:
        """One more reader of the restaurant's changes from now on."""
        reader = Reader()
        self._readers[restaurant].add(reader)
        READERS.inc()
        try:
            yield reader
        finally:
            READERS.dec()
            self._forget(restaurant, reader)

    def end(self) -> None:
        """End all readers."""
        for reader in [each for readers in self._readers.values() for each in readers]:
            reader.end()

    def _forget(self, restaurant: str, reader: Reader) -> None:
        readers = self._readers[restaurant]
        readers.discard(reader)
        if not readers:
            del self._readers[restaurant]
