"""The latest changes of tickets, and the readers that wait for the next ones."""

import contextlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from comanda_contracts import Unreadable, subjects
from prometheus_client import Counter, Gauge
from service_kit.http.live_feed import Reader, Readers, ReplayBuffer

from serving.outbound.open_tickets import (
    TicketKey,
    is_open,
    read_key,
    read_restaurant,
    read_ticket,
)
from serving.queue_updates import TicketChange

READERS = Gauge("comanda_serving_live_readers", "Readers of the live queues")
SLOW_READERS = Counter("comanda_serving_live_readers_too_slow", "Readers sent away as too slow")

FORGOTTEN = "forgotten"
"""The event that says that a ticket's guest is forgotten."""


@dataclass(frozen=True, slots=True)
class TicketMessage:
    """A message of the stream as it came; its body is parsed only when a reader needs it."""

    sequence: int
    subject: str
    headers: Mapping[str, str] | None
    body: bytes

    @property
    def restaurant(self) -> str | None:
        """The restaurant in the subject; None if that is not the subject of a ticket's event."""
        with contextlib.suppress(Unreadable):
            return read_restaurant(self.subject)
        return None

    @property
    def ticket(self) -> tuple[str, TicketKey] | None:
        """The restaurant and the key of the ticket; None if the subject names none."""
        with contextlib.suppress(Unreadable):
            return read_key(self.subject)
        return None

    def parse(self) -> TicketChange | None:
        """The change; None if it is none to a kitchen, or can't be read, which `OpenTickets` logs.

        A ticket is forgotten long after it is over: no screen is to show it for that.
        """
        with contextlib.suppress(Unreadable):
            ticket = read_ticket(self.headers, self.body)
            if is_open(ticket.status) or subjects.parse_ticket(self.subject).event != FORGOTTEN:
                return TicketChange(self.sequence, ticket)
        return None


class TicketChanges:
    """The latest changes of one run through the stream; changes up to `begin` are not known."""

    def __init__(self, begin: int = 0) -> None:
        self.begin = begin
        self._replay_buffer: ReplayBuffer[int, TicketMessage] = ReplayBuffer(begin)
        self._readers: Readers[TicketChange] = Readers(READERS, SLOW_READERS)

    def append(self, message: TicketMessage) -> None:
        """Add the stream's next message, and send the change to the restaurant's readers."""
        restaurant = message.restaurant
        self._replay_buffer.append(message.sequence, restaurant, message)
        if restaurant and restaurant in self._readers.topics and (change := message.parse()):
            self._readers.publish(restaurant, change, [change.json])

    def since(self, restaurant: str, sequence: int) -> list[TicketChange] | None:
        """The restaurant's changes after `sequence`; None if not all are known, or too many."""
        missed = self._replay_buffer.since(restaurant, sequence)
        if missed is None:
            return None
        return [change for _, message in missed if (change := message.parse())]

    def reader(self, restaurant: str) -> AbstractContextManager[Reader[TicketChange]]:
        """A new reader of the restaurant's changes, for as long as the context lasts."""
        return self._readers.reader(restaurant)

    def end(self) -> None:
        """End all readers."""
        self._readers.end()
