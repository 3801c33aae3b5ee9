"""Take an item off the menu for good."""

from datetime import datetime

from ordering.application.transaction import Transaction
from ordering.domain.menu import MenuItem
from ordering.domain.refusals import UnknownMenuItem


async def withdraw_menu_item(
    restaurant: str, sku: str, *, transaction: Transaction, at: datetime, actor: str | None
) -> MenuItem:
    """Withdraw the item. Safe to repeat. Raises UnknownMenuItem."""
    current = await transaction.item_to_change(restaurant, sku)
    if current is None:
        raise UnknownMenuItem(sku)
    event = current.withdraw(at=at, actor=actor)
    if event is None:
        return current
    transaction.record(event)
    return event.item
