"""Say that a menu item is to be had, or that the kitchen is out of it."""

from dataclasses import dataclass
from datetime import datetime

from ordering.application.transaction import Transaction
from ordering.domain.menu import MenuItem
from ordering.domain.refusals import UnknownMenuItem
from ordering.domain.versions import expect


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAvailability:
    """The item is to be had from now on, or not. `expected_version` of None stands for any."""

    restaurant: str
    sku: str
    available: bool
    reason: str | None = None
    expected_version: int | None = None
    actor: str | None = None


async def set_availability(
    command: SetAvailability, *, transaction: Transaction, at: datetime
) -> MenuItem:
    """Make the item available, or unavailable. Safe to repeat.

    Raises UnknownMenuItem, VersionMismatch, WithdrawnMenuItem.
    """
    item = await transaction.item_to_change(command.restaurant, command.sku)
    if item is None:
        raise UnknownMenuItem(command.sku)
    expect(item, command.expected_version)
    event = item.set_available(command.available, reason=command.reason, at=at, actor=command.actor)
    if event is None:
        return item
    transaction.record(event)
    return event.item
