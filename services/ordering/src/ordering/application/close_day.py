"""Close a business day: settle what was forgotten on it."""

from dataclasses import dataclass
from datetime import date, datetime

from ordering.application.transaction import Decision, Transaction
from ordering.domain import day_closing
from ordering.domain.day_closing import DayClosing
from ordering.domain.events import Sender
from ordering.domain.preconditions import ExpectedVersion, expect_version
from ordering.domain.refusals import UnknownRestaurant


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseDay:
    """The orders of a day, the running one if none is named, and of those before it are to end.

    `expected_version` is that of the closing before; None stands for any, or none yet.
    """

    restaurant: str
    business_day: date | None = None
    reason: str | None = None
    expected_version: ExpectedVersion = None
    actor: str | None = None
    by: Sender | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishDayClosing:
    """All orders of the closing, as it was at `version`, are over."""

    restaurant: str
    version: int


async def close_day(command: CloseDay, *, transaction: Transaction, at: datetime) -> DayClosing:
    """Have the day closed; `end_order` ends its orders afterwards, one by one.

    Safe to repeat: what was ordered since it was requested before is ended, too. Raises
    UnknownRestaurant, VersionMismatch, DayNotBegun.
    """
    pending_restaurant = transaction.restaurant(command.restaurant)
    pending = transaction.day_closing_to_change(command.restaurant)
    restaurant = await pending_restaurant
    if restaurant is None:
        raise UnknownRestaurant(command.restaurant)

    def decide(current: DayClosing | None) -> Decision[DayClosing]:
        expect_version(current, command.expected_version)
        return Decision(
            day_closing.close_day(
                current,
                restaurant,
                business_day=command.business_day,
                reason=command.reason,
                at=at,
                actor=command.actor,
                by=command.by,
            )
        )

    return await pending.change(decide)


async def finish_day_closing(
    command: FinishDayClosing, *, transaction: Transaction, at: datetime
) -> DayClosing:
    """Note that the closing is over, unless it was widened meanwhile. Safe to repeat.

    Raises UnknownRestaurant if there is no closing.
    """

    def decide(current: DayClosing | None) -> Decision[DayClosing]:
        if current is None:
            raise UnknownRestaurant(command.restaurant)
        return Decision(current.finish(version=command.version, at=at))

    return await transaction.day_closing_to_change(command.restaurant).change(decide)
