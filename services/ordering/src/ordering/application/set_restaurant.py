"""Open a restaurant, or change it."""

from dataclasses import dataclass
from datetime import datetime

from ordering.application.transaction import Transaction
from ordering.domain.restaurant import Restaurant
from ordering.domain.restaurant import set_restaurant as decide
from ordering.domain.versions import expect


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRestaurant:
    """It is to be as `wanted`. `expected_version` of None stands for any, or none yet."""

    wanted: Restaurant
    expected_version: int | None = None
    actor: str | None = None


async def set_restaurant(
    command: SetRestaurant, *, transaction: Transaction, at: datetime
) -> Restaurant:
    """Make the restaurant as wanted. Safe to repeat. Raises VersionMismatch, CurrencyIsFixed."""
    current = await transaction.restaurant_to_change(command.wanted.restaurant)
    expect(current, command.expected_version)
    event = decide(current, command.wanted, at=at, actor=command.actor)
    if event is None:
        return current or command.wanted
    transaction.record(event)
    return event.restaurant
