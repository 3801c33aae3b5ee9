"""Put an item on the menu, or change it."""

from datetime import datetime

from ordering.application.transaction import Transaction
from ordering.domain.menu import MenuItem
from ordering.domain.menu import set_menu_item as decide
from ordering.domain.refusals import UnknownRestaurant


async def set_menu_item(
    wanted: MenuItem, *, transaction: Transaction, at: datetime, actor: str | None
) -> MenuItem:
    """Make the item as wanted. Safe to repeat. Raises UnknownRestaurant, WithdrawnMenuItem."""
    restaurant = transaction.restaurant(wanted.restaurant)
    item = transaction.item_to_change(wanted.restaurant, wanted.sku)
    if await restaurant is None:
        raise UnknownRestaurant(wanted.restaurant)
    current = await item
    event = decide(current, wanted, at=at, actor=actor)
    if event is None:
        return current or wanted
    transaction.record(event)
    return event.item
