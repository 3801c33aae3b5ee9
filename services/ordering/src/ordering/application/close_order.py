"""Close an order that is served."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.application.transaction import Decision, Transaction
from ordering.domain.events import Sender
from ordering.domain.order import Order
from ordering.domain.preconditions import ExpectedVersion, expect_version, require_order


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseOrder:
    """The guests are leaving. `expected_version` of None stands for any."""

    order_id: UUID
    restaurant: str
    expected_version: ExpectedVersion = None
    actor: str | None = None
    by: Sender | None = None


async def close_order(command: CloseOrder, *, transaction: Transaction, at: datetime) -> Order:
    """Close the order.

    Raises UnknownOrder, VersionMismatch, OrderNotOpen, StillInTheKitchen.
    """

    def decide(current: Order | None) -> Decision[Order]:
        order = require_order(current, command.restaurant, command.order_id)
        expect_version(order, command.expected_version)
        event = order.close(at=at, actor=command.actor, by=command.by)
        return Decision(event.order, (event,))

    return await transaction.order_to_change(command.order_id).change(decide)
