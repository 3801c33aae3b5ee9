"""Take an item off the menu for good."""

from dataclasses import dataclass
from datetime import datetime

from ordering.application.transaction import Transaction
from ordering.domain.menu import MenuItem
from ordering.domain.refusals import UnknownMenuItem
from ordering.domain.versions import expect


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawMenuItem:
    """The restaurant offers it no more. `expected_version` of None stands for any."""

    restaurant: str
    sku: str
    reason: str | None = None
    expected_version: int | None = None
    actor: str | None = None


async def withdraw_menu_item(
    command: WithdrawMenuItem, *, transaction: Transaction, at: datetime
) -> MenuItem:
    """Withdraw the item. Safe to repeat. Raises UnknownMenuItem, VersionMismatch."""
    item = await transaction.item_to_change(command.restaurant, command.sku)
    if item is None:
        raise UnknownMenuItem(command.sku)
    expect(item, command.expected_version)
    event = item.withdraw(reason=command.reason, at=at, actor=command.actor)
    if event is None:
        return item
    transaction.record(event)
    return event.item
