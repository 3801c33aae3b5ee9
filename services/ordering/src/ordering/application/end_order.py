"""End an order with its business day."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.application.transaction import Decision, Transaction
from ordering.domain.events import Sender
from ordering.domain.order import Order
from ordering.domain.preconditions import require_order


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOrder:
    """An order of a day that is being closed; it names who closes the day, and why."""

    order_id: UUID
    restaurant: str
    reason: str
    actor: str | None = None
    by: Sender | None = None


# decision/0076: a business day is closed by a command
async def end_order(command: EndOrder, *, transaction: Transaction, at: datetime) -> Order:
    """Close the order, or ask the kitchen first to void or abandon what it still has of it.

    Safe to repeat, and to do from many replicas at once. Raises UnknownOrder.
    """

    def decide(current: Order | None) -> Decision[Order]:
        order = require_order(current, command.restaurant, command.order_id)
        event = order.end(reason=command.reason, at=at, actor=command.actor, by=command.by)
        return Decision(event.order, (event,)) if event else Decision(order)

    return await transaction.order_to_change(command.order_id).change(decide)
