"""Add a round to an open order."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.application.transaction import Decision, Transaction
from ordering.domain.events import Sender
from ordering.domain.menu import RequestedLine, price
from ordering.domain.order import Order
from ordering.domain.preconditions import ExpectedVersion, expect_version, require_order


@dataclass(frozen=True, slots=True, kw_only=True)
class AddItems:
    """The guests want more. `expected_version` of None stands for any."""

    order_id: UUID
    restaurant: str
    requested_lines: tuple[RequestedLine, ...]
    expected_version: ExpectedVersion = None
    actor: str | None = None
    by: Sender | None = None


async def add_items(command: AddItems, *, transaction: Transaction, at: datetime) -> Order:
    """Add the round at the prices of this moment.

    Raises UnknownOrder, VersionMismatch, CannotOrder, OrderNotOpen, OrderTooLarge.
    """
    pending_order = transaction.order_to_change(command.order_id)
    menu = await transaction.menu(
        command.restaurant, {each.sku for each in command.requested_lines}
    )

    def decide(current: Order | None) -> Decision[Order]:
        order = require_order(current, command.restaurant, command.order_id)
        expect_version(order, command.expected_version)
        lines = price(command.requested_lines, menu)
        event = order.add_items(lines, at=at, actor=command.actor, by=command.by)
        return Decision(event.order, (event,))

    return await pending_order.change(decide)
