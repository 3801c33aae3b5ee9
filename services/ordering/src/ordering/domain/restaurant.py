"""A restaurant: its name, its money and its clock."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from ordering.domain.events import DomainEvent
from ordering.domain.refusals import CurrencyIsFixed


@dataclass(frozen=True, slots=True, kw_only=True)
class Restaurant:
    """One venue. `currency` is an ISO 4217 code, `time_zone` an IANA name.

    Orders, menu items and subjects name it by its `slug`.
    """

    slug: str
    name: str
    currency: str
    time_zone: str
    version: int

    def business_day(self, at: datetime) -> date:
        """The local date at which something happens; `at` is any aware time."""
        return at.astimezone(ZoneInfo(self.time_zone)).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestaurantSet(DomainEvent):
    """A restaurant was opened or changed."""

    restaurant: Restaurant


def set_restaurant(
    current: Restaurant | None,
    wanted: Restaurant,
    *,
    at: datetime,
    actor: str | None,
) -> RestaurantSet | None:
    """Make the restaurant as wanted, whatever version `wanted` has; None if it is so already.

    Raises CurrencyIsFixed if that would change the money its prices are in.
    """
    if current is None:
        return RestaurantSet(restaurant=replace(wanted, version=1), at=at, actor=actor)
    if wanted.currency != current.currency:
        raise CurrencyIsFixed(current.currency)
    if replace(wanted, version=current.version) == current:
        return None
    changed = replace(wanted, version=current.version + 1)
    return RestaurantSet(restaurant=changed, at=at, actor=actor)
