"""Put an item on the menu, or change it."""

from dataclasses import dataclass
from datetime import datetime

from ordering.application.transaction import Transaction
from ordering.domain.menu import MenuItem
from ordering.domain.menu import set_menu_item as decide
from ordering.domain.refusals import UnknownRestaurant
from ordering.domain.versions import expect


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMenuItem:
    """The item is to be as `wanted`. `expected_version` of None stands for any, or none yet."""

    wanted: MenuItem
    expected_version: int | None = None
    actor: str | None = None


async def set_menu_item(
    command: SetMenuItem, *, transaction: Transaction, at: datetime
) -> MenuItem:
    """Make the item as wanted. Safe to repeat.

    Raises UnknownRestaurant, VersionMismatch, WithdrawnMenuItem.
    """
    wanted = command.wanted
    restaurant = transaction.restaurant(wanted.restaurant)
    item = transaction.item_to_change(wanted.restaurant, wanted.sku)
    if await restaurant is None:
        raise UnknownRestaurant(wanted.restaurant)
    current = await item
    expect(current, command.expected_version)
    event = decide(current, wanted, at=at, actor=command.actor)
    if event is None:
        return current or wanted
    transaction.record(event)
    return event.item
