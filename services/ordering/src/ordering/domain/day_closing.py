"""The closing of a business day: what was forgotten on it is settled, with a reason."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from ordering.domain.events import Sender
from ordering.domain.refusals import DayNotBegun
from ordering.domain.restaurant import Restaurant

END_OF_DAY = "end of the day"
"""The reason, where nobody gives another."""


# decision/0076: a business day is closed by a command
@dataclass(frozen=True, slots=True, kw_only=True)
class DayClosing:
    """The last closing of a restaurant's days. It runs until it is `finished_at`.

    It is of the orders of the business day, and of those before it, that were placed before it was
    requested.
    """

    restaurant: str
    business_day: date
    reason: str
    actor: str | None
    by: Sender | None
    requested_at: datetime
    version: int
    finished_at: datetime | None = None

    def covers(self, day: date, restaurant: Restaurant) -> bool:
        """Whether it runs, and has all of the day, which was over when it was requested."""
        is_running = self.finished_at is None
        was_over = restaurant.business_day(self.requested_at) > day
        return is_running and was_over and self.business_day >= day

    def finish(self, *, version: int, at: datetime) -> "DayClosing":
        """The same, finished; unless it is over, or was widened since this version."""
        if self.finished_at or self.version != version:
            return self
        return replace(self, finished_at=at, version=self.version + 1)


def close_day(
    current: DayClosing | None,
    restaurant: Restaurant,
    *,
    business_day: date | None,
    reason: str | None,
    at: datetime,
    actor: str | None,
    by: Sender | None = None,
) -> DayClosing:
    """Close the day, by default the running one.

    A closing that runs is widened, unless nothing can have been ordered for the day since it was
    requested: so an order that the kitchen leaves unanswered keeps no later one open. Raises
    DayNotBegun.
    """
    running = restaurant.business_day(at)
    day = business_day or running
    if day > running:
        raise DayNotBegun(day, running)
    if current and current.covers(day, restaurant):
        return current
    return DayClosing(
        restaurant=restaurant.slug,
        business_day=day,
        reason=reason or END_OF_DAY,
        actor=actor,
        by=by,
        requested_at=at,
        version=current.version + 1 if current else 1,
    )
