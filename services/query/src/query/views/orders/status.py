"""The status of an order view, derived from the order's own state and its tickets."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from comanda_contracts import Order, OrderStatus, TicketStatus
from comanda_contracts.guest_status import status_of_rounds

from query.views.merge import AggregateState


class ViewStatus(StrEnum):
    """The status of an order as clients see it: the contract's `GuestStatus`."""

    PLACED = "placed"
    PREPARING = "preparing"
    READY = "ready"
    SERVED = "served"
    CLOSED = "closed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


OVER = frozenset({ViewStatus.CLOSED, ViewStatus.CANCELLED})
ACTIVE = frozenset(ViewStatus) - OVER
"""Statuses of orders to which something may still happen."""


def is_active(order: Order) -> bool:
    """True if anything may still happen to the order."""
    return order.status not in (OrderStatus.CLOSED, OrderStatus.CANCELLED)


def rounds_as(status: TicketStatus, order: Order, *, voided: bool) -> dict[str, Any]:
    """The order's voided rounds, or the others, as if each had a ticket of this status."""
    return {
        str(each.round): {"status": str(status)} for each in order.rounds if each.voided is voided
    }


def status_of(order: AggregateState | None, tickets: Mapping[str, AggregateState]) -> str | None:
    """The derived status; None while the order is not known.

    The rule is the contract's, as a subscriber has it. The store derives the same in
    `storage/orders/status_expression.py`.
    """
    if order is None:
        return None
    return ViewStatus(
        status_of_rounds(
            order["status"],
            queued=order["assumed"],
            voided=order["overruled"],
            tickets={number: each["status"] for number, each in tickets.items()},
        )
    )
