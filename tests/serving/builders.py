"""Tickets and orders for tests: valid, and different only in what a test says."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import comanda_contracts as contracts
from comanda_contracts.envelope import Message
from serving.domain.ticket import Ticket, TicketLine, TicketQueued
from uuid_utils.compat import uuid7

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)


def a_restaurant() -> str:
    """A slug that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


def a_ticket(**fields: Any) -> Ticket:
    known: dict[str, Any] = {
        "restaurant": "la-piazza",
        "order_id": uuid7(),
        "round": 1,
        "number": "A-001",
        "channel": "dine_in",
        "table": "12",
        "lines": (TicketLine(sku="margherita", name="Margherita", quantity=2, note="no basil"),),
        "ordered_at": NOON,
    }
    return Ticket(**(known | fields))


def queued(ticket: Ticket) -> TicketQueued:
    return TicketQueued(ticket=ticket, at=NOON)


def an_order(*, rounds: int = 1, **fields: Any) -> contracts.Order:
    line = contracts.Line(sku="margherita", name="Margherita", unit_price=850, quantity=2)
    known: dict[str, Any] = {
        "restaurant": "la-piazza",
        "order_id": uuid7(),
        "version": rounds,
        "number": "A-001",
        "business_day": NOON.date(),
        "channel": contracts.Channel.TAKEAWAY,
        "customer": "Ada",
        "currency": "EUR",
        "status": contracts.OrderStatus.OPEN,
        "rounds": tuple(
            contracts.Round(round=number, lines=(line,) * number, ordered_at=NOON)
            for number in range(1, rounds + 1)
        ),
        "total": 1700 * rounds,
        "placed_at": NOON,
    }
    return contracts.Order(**(known | fields))


def placed(order: contracts.Order, *, trace: dict[str, str] | None = None) -> Message:
    return sealed(contracts.OrderPlaced(order=order, at=NOON), trace=trace)


def items_added(order: contracts.Order, round_number: int) -> Message:
    return sealed(contracts.ItemsAdded(order=order, round=round_number, at=NOON))


def restated(
    order: contracts.Order, *, is_open: Sequence[int] = (), is_served: Sequence[int] = ()
) -> Message:
    event = contracts.OrderRestated(
        order=order, open_rounds=tuple(is_open), served_rounds=tuple(is_served), at=NOON
    )
    return sealed(event)


def sealed(
    event: contracts.Event, *, event_id: UUID | None = None, trace: dict[str, str] | None = None
) -> Message:
    return contracts.seal(event, event_id=event_id or uuid7(), trace=trace)


def cancellation_requested(order: contracts.Order, *rounds: int, closes: bool = False) -> Message:
    cancellation = contracts.Cancellation(
        rounds=rounds, reason="the guests left", requested_at=NOON, closes=closes
    )
    cancelling = order.model_copy(
        update={"cancellation": cancellation, "status": contracts.OrderStatus.CANCELLING}
    )
    return sealed(contracts.CancellationRequested(order=cancelling, at=NOON, actor="Luigi"))
