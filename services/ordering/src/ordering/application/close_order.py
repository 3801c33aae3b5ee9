"""Close an order that is served."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.application.loading import known
from ordering.application.transaction import Transaction
from ordering.domain.order import Order
from ordering.domain.versions import expect


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseOrder:
    """The guests are leaving. `expected_version` of None stands for any."""

    order_id: UUID
    restaurant: str
    expected_version: int | None = None
    actor: str | None = None


async def close_order(command: CloseOrder, *, transaction: Transaction, at: datetime) -> Order:
    """Close the order.

    Raises UnknownOrder, VersionMismatch, OrderNotOpen, StillInTheKitchen.
    """
    asked = transaction.order_to_change(command.order_id)
    order = await known(asked, command.restaurant, command.order_id)
    expect(order, command.expected_version)
    event = order.close(at=at, actor=command.actor)
    transaction.record(event)
    return event.order
