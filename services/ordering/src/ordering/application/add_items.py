"""Add a round to an open order."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.application.loading import known
from ordering.application.transaction import Transaction
from ordering.domain.menu import Wish, price
from ordering.domain.order import Order
from ordering.domain.versions import expect


@dataclass(frozen=True, slots=True, kw_only=True)
class AddItems:
    """The guests want more. `expected_version` of None stands for any."""

    order_id: UUID
    restaurant: str
    wishes: tuple[Wish, ...]
    expected_version: int | None = None
    actor: str | None = None


async def add_items(command: AddItems, *, transaction: Transaction, at: datetime) -> Order:
    """Add the round at the prices of this moment.

    Raises UnknownOrder, VersionMismatch, CannotOrder, OrderNotOpen, OrderTooLarge.
    """
    asked = transaction.order_to_change(command.order_id)
    menu = await transaction.menu(command.restaurant, {wish.sku for wish in command.wishes})
    order = await known(asked, command.restaurant, command.order_id)
    expect(order, command.expected_version)
    event = order.add_items(price(command.wishes, menu), at=at, actor=command.actor)
    transaction.record(event)
    return event.order
