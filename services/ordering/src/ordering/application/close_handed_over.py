"""Close a takeaway order that was handed over, once the kitchen can take nothing of it back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ordering.application.transaction import Decision, Transaction
from ordering.domain.order import Order
from ordering.domain.preconditions import require_order


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseHandedOver:
    """An order that was seen to be handed over for longer than the grace."""

    order_id: UUID
    restaurant: str


# decision/0067: a served round comes back within a grace, and a takeaway waits for it
async def close_handed_over(
    command: CloseHandedOver, *, transaction: Transaction, at: datetime, recall_grace: timedelta
) -> Order:
    """Close the order, unless a round was added, recalled or is asked to be cancelled meanwhile.

    Safe to repeat, and to do from many replicas at once. Raises UnknownOrder.
    """

    def decide(current: Order | None) -> Decision[Order]:
        order = require_order(current, command.restaurant, command.order_id)
        if not order.is_past_recall(at=at, grace=recall_grace):
            return Decision(order)
        event = order.close(at=at, actor=None)
        return Decision(event.order, (event,))

    return await transaction.order_to_change(command.order_id).change(decide)
