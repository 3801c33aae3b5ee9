"""A restaurant: its name, its money and its clock."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ordering.domain.events import DomainEvent, Sender
from ordering.domain.refusals import CurrencyIsFixed, NotListed

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restaurant:
    """One venue. `currency` is an ISO 4217 code, `time_zone` an IANA name.

    Orders, menu items and subjects name it by its `slug`. Its business days begin at the local hour
    `day_begins`: since the instant `day_begins_since` if that was changed, and until then the day
    before that instant's is running. With `closes_days` one closes by itself once the next begins.
    """

    slug: str
    name: str
    currency: str
    time_zone: str
    version: int
    day_begins: time = time(0)
    day_begins_since: datetime | None = None
    closes_days: bool = False

    def restate(self, *, at: datetime) -> "RestaurantSet":
        """Say again what the restaurant is, at its next version; nothing changes."""
        return RestaurantSet(restaurant=replace(self, version=self.version + 1), at=at, actor=None)

    def business_day(self, at: datetime) -> date:
        """The date of the business day that is running `at` an aware time; it never goes back."""
        since = self.day_begins_since
        if since is not None and at < since:
            return self._day_begun_by(since) - ONE_DAY
        return self._day_begun_by(at)

    def beginning(self, day: date) -> datetime:
        """The instant (UTC) at which the business day begins, by the hour as it is set now.

        Where clocks are put back, at the first of the two times that the hour comes; where they are
        put forward over the hour, as long after it as the clocks skip (as RFC 5545 has it).
        """
        begins = datetime.combine(day, self.day_begins, ZoneInfo(self.time_zone))
        return begins.astimezone(UTC)

    def _day_begun_by(self, at: datetime) -> date:
        day = at.astimezone(ZoneInfo(self.time_zone)).date() + ONE_DAY
        while self.beginning(day) > at:
            day -= ONE_DAY
        return day


@dataclass(frozen=True, slots=True, kw_only=True)
class RestaurantSet(DomainEvent):
    """A restaurant was opened or changed."""

    restaurant: Restaurant


def require_listed(
    current: Restaurant | None, wanted: Restaurant, unlisted: Mapping[str, str]
) -> None:
    """Raise NotListed for the fields that are `unlisted`, unless the restaurant has it so already.

    Lists change: a restaurant keeps a currency or a zone that has left them.
    """
    faults = {
        field: detail
        for field, detail in unlisted.items()
        if current is None or getattr(current, field) != getattr(wanted, field)
    }
    if faults:
        raise NotListed(faults)


def set_restaurant(
    current: Restaurant | None,
    wanted: Restaurant,
    *,
    at: datetime,
    actor: str | None,
    by: Sender | None = None,
) -> RestaurantSet | None:
    """Make the restaurant as wanted, whatever version `wanted` has; None if it is so already.

    Another hour for its days holds from the day after the one that is running, which begins at the
    later of the two hours. Raises CurrencyIsFixed if the money its prices are in would change.
    """
    if current is None:
        return RestaurantSet(restaurant=replace(wanted, version=1), at=at, actor=actor, by=by)
    if wanted.currency != current.currency:
        raise CurrencyIsFixed(current.currency)
    wanted = replace(
        wanted, version=current.version, day_begins_since=_hour_holds_since(current, wanted, at)
    )
    if wanted == current:
        return None
    changed = replace(wanted, version=current.version + 1)
    return RestaurantSet(restaurant=changed, at=at, actor=actor, by=by)


# decision/0035: a business day begins once, at the restaurant's hour
def _hour_holds_since(current: Restaurant, wanted: Restaurant, at: datetime) -> datetime | None:
    """The instant since which the wanted hour begins the days; another time zone holds at once."""
    if wanted.time_zone != current.time_zone:
        return None
    planned = current.day_begins_since
    if wanted.day_begins == current.day_begins:
        return planned
    following = current.business_day(at) + ONE_DAY
    if planned is None or planned <= at:
        planned = current.beginning(following)
    return max(planned, wanted.beginning(following))
