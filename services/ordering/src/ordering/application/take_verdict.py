"""Take a verdict of the kitchen: it served a round, voided it, or has it in hand."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ordering.application.transaction import Decision, Transaction
from ordering.domain.order import KitchenVerdict, Order, OrderEvent, TicketState
from ordering.domain.preconditions import require_order


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeVerdict:
    """The kitchen's verdict on one round of an order, as of a state of its ticket.

    None tells that the round is queued, after all.
    """

    order_id: UUID
    restaurant: str
    round: int
    verdict: KitchenVerdict | None
    ticket: TicketState | None = None


# decision/0006: a verdict of the kitchen is a fact, not a reply
async def take_verdict(
    command: TakeVerdict, *, transaction: Transaction, at: datetime, recall_grace: timedelta
) -> Order:
    """Note the verdict; end a cancellation that waited for it; close an order that is over by it.

    With a grace for recalls, `close_handed_over` closes it once that is over, as no recall may be
    on its way then. Safe to repeat, and to do late or in any order. Raises UnknownOrder.
    """

    def decide(current: Order | None) -> Decision[Order]:
        before = require_order(current, command.restaurant, command.order_id)
        order = before.take_verdict(command.round, command.verdict, command.ticket)
        if order == before:
            return Decision(before)
        events: list[OrderEvent] = []
        if ended := order.end_cancellation(at=at):
            events.append(ended)
            order = ended.order
        if order.closes_by_itself and not recall_grace:
            closed = order.close(at=at, actor=None)
            events.append(closed)
            order = closed.order
        return Decision(order, tuple(events))

    return await transaction.order_to_change(command.order_id).change(decide)
