"""The open tickets of every restaurant: a fold of the messages of TICKETS."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from comanda_contracts import (
    AnyTicketStatus,
    Ticket,
    TicketEvent,
    TicketStatus,
    UnknownType,
    Unreadable,
    read,
    subjects,
)
from comanda_contracts.envelope import Published
from prometheus_client import Counter
from pydantic import ValidationError

from serving.domain.ticket import SETTLED
from serving.outbound.bookmarks import Bookmark

log = structlog.get_logger()

UNREADABLE = Counter(
    "comanda_serving_unreadable_messages_total", "Messages of TICKETS that were passed over"
)

CLOSING_EVENTS = {"served", "voided", "abandoned"}
"""Events that leave a ticket closed: of their messages only the subject is read."""

TicketKey = tuple[str, str]
"""Order id and round number, as they stand in a subject."""


@dataclass(frozen=True, slots=True)
class _OpenTicket:
    """A ticket, and the sequence of the message that left it so."""

    sequence: int
    ticket: Ticket


class OpenTickets:
    """Every ticket that is not served, voided or abandoned, as of the message at `sequence`.

    A stream has one order, and a ticket's versions only grow in it. So a message whose sequence is
    not higher than `sequence` was applied before, and nothing need be remembered of a ticket that
    is closed.
    """

    def __init__(self) -> None:
        self.sequence = 0
        self._message_id: str | None = None
        self._by_restaurant: dict[str, dict[TicketKey, _OpenTicket]] = {}

    def apply(
        self, sequence: int, subject: str, headers: Mapping[str, str] | None, body: bytes
    ) -> None:
        """Apply a message of the stream. One that can't be read is logged and otherwise ignored."""
        if sequence <= self.sequence:
            return
        self.sequence = sequence
        self._message_id = (headers or {}).get("Nats-Msg-Id")
        try:
            self._apply(sequence, subject, headers, body)
        except Unreadable as error:
            log.error("ticket can't be read", subject=subject, sequence=sequence, reason=str(error))
            UNREADABLE.inc()

    def of(self, restaurant: str) -> list[Ticket]:
        """The restaurant's open tickets, the one that was ordered first first."""
        return sorted(
            (each.ticket for each in self._by_restaurant.get(restaurant, {}).values()),
            key=_position_in_queue,
        )

    def count(self, status: TicketStatus) -> int:
        """How many open tickets have the status, over all restaurants."""
        return sum(
            each.ticket.status is status
            for tickets in self._by_restaurant.values()
            for each in tickets.values()
        )

    def ordered_at(self, status: TicketStatus) -> datetime | None:
        """When the oldest open ticket with the status was ordered; None if none has it."""
        return min(
            (
                each.ticket.ordered_at
                for tickets in self._by_restaurant.values()
                for each in tickets.values()
                if each.ticket.status is status
            ),
            default=None,
        )

    def keys(self) -> set[tuple[str, TicketKey]]:
        """The open tickets, by restaurant and key."""
        return {
            (restaurant, key)
            for restaurant, tickets in self._by_restaurant.items()
            for key in tickets
        }

    def sequences(self) -> list[int]:
        """The sequence of the last message of each open ticket."""
        return sorted(
            each.sequence for tickets in self._by_restaurant.values() for each in tickets.values()
        )

    def bookmark(self) -> Bookmark | None:
        """A bookmark of this state; None if the last message has no id to recognize it by."""
        if self._message_id is None:
            return None
        return Bookmark(
            sequence=self.sequence, message_id=self._message_id, open=tuple(self.sequences())
        )

    def continue_after(self, bookmark: Bookmark) -> None:
        """Count what is up to the bookmark as applied; its open tickets must have been."""
        self.sequence, self._message_id = bookmark.sequence, bookmark.message_id

    def _apply(
        self, sequence: int, subject: str, headers: Mapping[str, str] | None, body: bytes
    ) -> None:
        restaurant, order_id, round_number, event = subjects.parse_ticket(subject)
        key = (order_id, round_number)
        if event in CLOSING_EVENTS:
            self._remove(restaurant, key)
            return
        ticket = read_ticket(headers, body)
        if is_open(ticket.status):
            self._by_restaurant.setdefault(restaurant, {})[key] = _OpenTicket(sequence, ticket)
        else:  # such as a refusal to void what is served
            self._remove(restaurant, key)

    def _remove(self, restaurant: str, key: TicketKey) -> None:
        tickets = self._by_restaurant.get(restaurant, {})
        tickets.pop(key, None)
        if not tickets:
            self._by_restaurant.pop(restaurant, None)


def is_open(status: AnyTicketStatus) -> bool:
    """Whether a ticket with this status is in a queue, as one of a later release is."""
    return status not in SETTLED


def read_restaurant(subject: str) -> str:
    """The restaurant named by the subject of a ticket's event. Raises Unreadable."""
    return subjects.parse_ticket(subject).restaurant


def read_key(subject: str) -> tuple[str, TicketKey]:
    """The restaurant and the ticket's key in the subject of its event. Raises Unreadable."""
    restaurant, order_id, round_number, _ = subjects.parse_ticket(subject)
    return restaurant, (order_id, round_number)


def read_ticket(headers: Mapping[str, str] | None, body: bytes) -> Ticket:
    """The ticket after the event that a message carries. Raises Unreadable.

    Every event carries the whole ticket. So one of a type that a later release has added, which may
    have been rolled back since, tells it as well as any, if the ticket itself is as we know it.
    """
    try:
        event = read(headers, body)
    except UnknownType as error:
        try:
            return _AnyTicketEvent.model_validate_json(body).ticket
        except ValidationError:
            raise error from None
    if not isinstance(event, TicketEvent):
        raise Unreadable(f"{event.TYPE} is not an event of a ticket")
    return event.ticket


class _AnyTicketEvent(Published):
    """An event of whatever type, as far as it is about a ticket."""

    ticket: Ticket
    """The whole ticket after the event."""


def _position_in_queue(ticket: Ticket) -> tuple[object, UUID, int]:
    return ticket.ordered_at, ticket.order_id, ticket.round
