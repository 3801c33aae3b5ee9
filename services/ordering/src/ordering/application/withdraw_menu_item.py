"""Take an item off the menu for good."""

from dataclasses import dataclass
from datetime import datetime

from ordering.application.transaction import Decision, Transaction
from ordering.domain.events import Sender
from ordering.domain.menu import MenuItem
from ordering.domain.preconditions import ExpectedVersion, expect_version
from ordering.domain.refusals import UnknownMenuItem


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawMenuItem:
    """The restaurant offers it no more. `expected_version` of None stands for any."""

    restaurant: str
    sku: str
    reason: str | None = None
    expected_version: ExpectedVersion = None
    actor: str | None = None
    by: Sender | None = None


async def withdraw_menu_item(
    command: WithdrawMenuItem, *, transaction: Transaction, at: datetime
) -> MenuItem:
    """Withdraw the item. Safe to repeat. Raises UnknownMenuItem, VersionMismatch."""

    def decide(item: MenuItem | None) -> Decision[MenuItem]:
        if item is None:
            raise UnknownMenuItem(command.sku)
        expect_version(item, command.expected_version)
        event = item.withdraw(reason=command.reason, at=at, actor=command.actor, by=command.by)
        return Decision(event.item, (event,)) if event else Decision(item)

    return await transaction.item_to_change(command.restaurant, command.sku).change(decide)
