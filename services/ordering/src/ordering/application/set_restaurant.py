"""Open a restaurant, or change it."""

from dataclasses import dataclass
from datetime import datetime

from ordering.application.transaction import Decision, Transaction
from ordering.domain import restaurant
from ordering.domain.preconditions import ExpectedVersion, expect_version
from ordering.domain.restaurant import Restaurant


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRestaurant:
    """It is to be as `wanted`. `expected_version` of None stands for any, or none yet."""

    wanted: Restaurant
    expected_version: ExpectedVersion = None
    actor: str | None = None


async def set_restaurant(
    command: SetRestaurant, *, transaction: Transaction, at: datetime
) -> Restaurant:
    """Make the restaurant as wanted. Safe to repeat. Raises VersionMismatch, CurrencyIsFixed."""
    wanted = command.wanted

    def decide(current: Restaurant | None) -> Decision[Restaurant]:
        expect_version(current, command.expected_version)
        event = restaurant.set_restaurant(current, wanted, at=at, actor=command.actor)
        return Decision(event.restaurant, (event,)) if event else Decision(current or wanted)

    return await transaction.restaurant_to_change(wanted.slug).change(decide)
