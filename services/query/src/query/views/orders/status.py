"""The status of an order view, derived from the order's own state and its tickets."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from comanda_contracts import Order, OrderStatus, TicketStatus

from query.views.merge import AggregateState


class ViewStatus(StrEnum):
    """The status of an order as clients see it."""

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

ALL_SERVED = frozenset({TicketStatus.SERVED})
ALL_READY = ALL_SERVED | {TicketStatus.READY}
DECIDED = frozenset(OrderStatus) - {OrderStatus.OPEN}
"""Statuses of an order that are those of its view, whatever its tickets say."""
NONE_BEGUN = ALL_SERVED | {TicketStatus.QUEUED, TicketStatus.VOIDED}


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

    What ordering decided wins. An order that is open, or has a status of a later release, is as far
    as its rounds: one without a ticket is queued, a voided one holds nothing up, one with a status
    of a later release is being prepared. A ticket may run ahead of the order that has its round,
    and counts. The store derives the same in `storage/orders/status_expression.py`.
    """
    if order is None:
        return None
    if order["status"] in DECIDED:
        return str(order["status"])
    rounds = {**order["assumed"], **tickets, **order["overruled"]}
    reached = {each["status"] for each in rounds.values()}
    if reached <= ALL_SERVED:
        return ViewStatus.SERVED
    if reached <= ALL_READY:
        return ViewStatus.READY
    if reached <= NONE_BEGUN:
        return ViewStatus.PLACED
    return ViewStatus.PREPARING
