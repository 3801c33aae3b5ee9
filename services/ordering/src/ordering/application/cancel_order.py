"""Cancel an order, or some of its rounds."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.application.transaction import Decision, Transaction
from ordering.domain.events import Sender
from ordering.domain.order import Order
from ordering.domain.preconditions import ExpectedVersion, expect_version, require_order


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Somebody wants it cancelled. `rounds` of None stands for all, `expected_version` for any."""

    order_id: UUID
    restaurant: str
    reason: str
    rounds: frozenset[int] | None = None
    expected_version: ExpectedVersion = None
    actor: str | None = None
    by: Sender | None = None


# decision/0043: who asks for a cancellation again is answered again
async def cancel_order(command: CancelOrder, *, transaction: Transaction, at: datetime) -> Order:
    """Ask the kitchen; until it has answered, the order can't be changed, but it is asked again.

    Raises UnknownOrder, VersionMismatch, OrderNotOpen, UnknownRound, TooLateToCancel.
    """

    def decide(current: Order | None) -> Decision[Order]:
        order = require_order(current, command.restaurant, command.order_id)
        expect_version(order, command.expected_version)
        event = order.cancel(
            command.rounds, reason=command.reason, at=at, actor=command.actor, by=command.by
        )
        return Decision(event.order, (event,))

    return await transaction.order_to_change(command.order_id).change(decide)
