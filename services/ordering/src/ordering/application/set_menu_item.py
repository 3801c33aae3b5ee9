"""Put an item on the menu, or change it."""

from dataclasses import dataclass
from datetime import datetime

from ordering.application.transaction import Decision, Transaction
from ordering.domain import menu
from ordering.domain.events import Sender
from ordering.domain.menu import MenuItem
from ordering.domain.preconditions import ExpectedVersion, expect_version
from ordering.domain.refusals import UnknownRestaurant


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMenuItem:
    """The item is to be as `wanted`. `expected_version` of None stands for any, or none yet."""

    wanted: MenuItem
    expected_version: ExpectedVersion = None
    actor: str | None = None
    by: Sender | None = None


async def set_menu_item(
    command: SetMenuItem, *, transaction: Transaction, at: datetime
) -> MenuItem:
    """Make the item as wanted. Safe to repeat.

    Raises UnknownRestaurant, VersionMismatch, WithdrawnMenuItem.
    """
    wanted = command.wanted
    pending_restaurant = transaction.restaurant(wanted.restaurant)
    pending_item = transaction.item_to_change(wanted.restaurant, wanted.sku)
    if await pending_restaurant is None:
        raise UnknownRestaurant(wanted.restaurant)

    def decide(current: MenuItem | None) -> Decision[MenuItem]:
        expect_version(current, command.expected_version)
        event = menu.set_menu_item(current, wanted, at=at, actor=command.actor, by=command.by)
        return Decision(event.item, (event,)) if event else Decision(current or wanted)

    return await pending_item.change(decide)
