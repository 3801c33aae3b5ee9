"""Take a verdict of the kitchen: it served a round, voided it, or had started it already."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.application.transaction import Decision, Transaction
from ordering.domain.order import KitchenVerdict, Order, OrderEvent
from ordering.domain.preconditions import require_order


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeVerdict:
    """The kitchen's verdict on one round of an order."""

    order_id: UUID
    restaurant: str
    round: int
    verdict: KitchenVerdict


# decision/0006: a verdict of the kitchen is a fact, not a reply
async def take_verdict(command: TakeVerdict, *, transaction: Transaction, at: datetime) -> Order:
    """Note the verdict; end a cancellation that waited for it; close an order that is over by it.

    Safe to repeat, and to do late or in any order. Raises UnknownOrder.
    """

    def decide(current: Order | None) -> Decision[Order]:
        before = require_order(current, command.restaurant, command.order_id)
        order = before.take_verdict(command.round, command.verdict)
        if order == before:
            return Decision(before)
        events: list[OrderEvent] = []
        if ended := order.end_cancellation(at=at):
            events.append(ended)
            order = ended.order
        if order.closes_by_itself:
            closed = order.close(at=at, actor=None)
            events.append(closed)
            order = closed.order
        return Decision(order, tuple(events))

    return await transaction.order_to_change(command.order_id).change(decide)
