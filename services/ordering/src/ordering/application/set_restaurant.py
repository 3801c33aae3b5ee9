"""Open a restaurant, or change it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ordering.application.transaction import Decision, Transaction
from ordering.domain import restaurant
from ordering.domain.events import Sender
from ordering.domain.preconditions import ExpectedVersion, expect_version
from ordering.domain.restaurant import Restaurant


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRestaurant:
    """It is to be as `wanted`. `expected_version` of None stands for any, or none yet.

    `unlisted` says what is wrong with those of its fields whose values are in no list.
    """

    wanted: Restaurant
    unlisted: Mapping[str, str] = field(default_factory=dict)
    expected_version: ExpectedVersion = None
    actor: str | None = None
    by: Sender | None = None


async def set_restaurant(
    command: SetRestaurant, *, transaction: Transaction, at: datetime
) -> Restaurant:
    """Make the restaurant as wanted. Safe to repeat. Raises VersionMismatch and others."""
    wanted = command.wanted

    def decide(current: Restaurant | None) -> Decision[Restaurant]:
        restaurant.require_listed(current, wanted, command.unlisted)
        expect_version(current, command.expected_version)
        event = restaurant.set_restaurant(
            current, wanted, at=at, actor=command.actor, by=command.by
        )
        return Decision(event.restaurant, (event,)) if event else Decision(current or wanted)

    return await transaction.restaurant_to_change(wanted.slug).change(decide)
