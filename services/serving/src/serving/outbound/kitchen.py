"""The tickets that are in the kitchens: folded from the messages of TICKETS."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from comanda_contracts import Ticket, TicketEvent, TicketStatus, Unreadable, read, subjects

from serving.outbound.bookmarks import Bookmark

log = structlog.get_logger()

GONE = {TicketStatus.SERVED, TicketStatus.VOIDED}
LAST_EVENTS = {"served", "voided"}
"""After them a ticket is gone for good, so that nothing but the subject needs to be read."""

Place = tuple[str, str]
"""Order id and round, as in a subject."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A ticket that is in the kitchen, and the sequence of the message that left it so."""

    sequence: int
    ticket: Ticket


class Kitchen:
    """Every ticket that is neither served nor voided.

    A stream has one order, in which a ticket's versions only grow: so a message that comes after
    a later one is one that was applied before, and `sequence` is all that needs to be remembered
    for a ticket that has gone never to come back.
    """

    def __init__(self) -> None:
        self.sequence = 0
        self._message_id: str | None = None
        self._tickets: dict[str, dict[Place, _Open]] = {}

    def apply(
        self, sequence: int, subject: str, headers: Mapping[str, str] | None, body: bytes
    ) -> None:
        """Take in one message of the stream; what can't be read is logged and left out."""
        if sequence <= self.sequence:
            return
        self.sequence = sequence
        self._message_id = (headers or {}).get("Nats-Msg-Id")
        try:
            self._apply(sequence, subject, headers, body)
        except Unreadable as error:
            log.error("ticket can't be read", subject=subject, sequence=sequence, reason=str(error))

    def of(self, restaurant: str) -> list[Ticket]:
        """The restaurant's tickets, the one that was ordered first first."""
        return sorted(
            (each.ticket for each in self._tickets.get(restaurant, {}).values()), key=_turn
        )

    def count(self, status: TicketStatus) -> int:
        """How many tickets have the status, over all restaurants."""
        return sum(
            each.ticket.status is status
            for tickets in self._tickets.values()
            for each in tickets.values()
        )

    def bookmark(self) -> Bookmark | None:
        """From where another kitchen can go on; None if the last message has no name."""
        if self._message_id is None:
            return None
        found = (each.sequence for tickets in self._tickets.values() for each in tickets.values())
        return Bookmark(
            sequence=self.sequence, message_id=self._message_id, open=tuple(sorted(found))
        )

    def go_on_from(self, bookmark: Bookmark) -> None:
        """Be as far as the bookmark, whose open tickets have been taken in."""
        self.sequence, self._message_id = bookmark.sequence, bookmark.message_id

    def _apply(
        self, sequence: int, subject: str, headers: Mapping[str, str] | None, body: bytes
    ) -> None:
        restaurant, order_id, round_number, event = subjects.parse_ticket(subject)
        place = (order_id, round_number)
        if event in LAST_EVENTS:
            self._remove(restaurant, place)
            return
        ticket = ticket_of(headers, body)
        if ticket.status in GONE:  # such as a refusal to void what is served
            self._remove(restaurant, place)
        else:
            self._tickets.setdefault(restaurant, {})[place] = _Open(sequence, ticket)

    def _remove(self, restaurant: str, place: Place) -> None:
        tickets = self._tickets.get(restaurant, {})
        tickets.pop(place, None)
        if not tickets:
            self._tickets.pop(restaurant, None)


def restaurant_of(subject: str) -> str:
    """Whose ticket the message is about. Raises Unreadable."""
    return subjects.parse_ticket(subject).restaurant


def ticket_of(headers: Mapping[str, str] | None, body: bytes) -> Ticket:
    """The ticket after the event that the message carries. Raises Unreadable."""
    event = read(headers, body)
    if not isinstance(event, TicketEvent):
        raise Unreadable(f"{event.TYPE} is not an event of a ticket")
    return event.ticket


def _turn(ticket: Ticket) -> tuple[object, UUID, int]:
    return ticket.ordered_at, ticket.order_id, ticket.round
