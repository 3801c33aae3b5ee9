"""Forget the guest of an order that is over."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.application.transaction import Decision, Transaction
from ordering.domain.events import Sender
from ordering.domain.order import Order
from ordering.domain.preconditions import ExpectedVersion, expect_version, require_order


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetOrder:
    """The guest wants to be forgotten. `expected_version` of None stands for any.

    With `again` it is said once more of an order whose guest is forgotten already, since a copy of
    an older day has come back somewhere; at a version above `known_version`, that of the ledger.
    """

    order_id: UUID
    restaurant: str
    expected_version: ExpectedVersion = None
    actor: str | None = None
    by: Sender | None = None
    again: bool = False
    known_version: int = 0


async def forget_order(command: ForgetOrder, *, transaction: Transaction, at: datetime) -> Order:
    """Take out of the order what names its guest, and have the same done everywhere.

    Repeated it changes nothing. Raises UnknownOrder, VersionMismatch, OrderNotOver.
    """

    def decide(current: Order | None) -> Decision[Order]:
        order = require_order(current, command.restaurant, command.order_id)
        if order.forgotten_at and not command.again:
            return Decision(order)
        expect_version(order, command.expected_version)
        event = order.forget(
            at=at, actor=command.actor, by=command.by, known_version=command.known_version
        )
        return Decision(event.order, (event,))

    return await transaction.order_to_change(command.order_id).change(decide)
