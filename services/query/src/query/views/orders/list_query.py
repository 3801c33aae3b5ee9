"""The query for a list of orders, and the position where a page of it ends."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from query.views.orders.status import ACTIVE, ViewStatus

EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
MILLISECOND = timedelta(milliseconds=1)


class Sort(StrEnum):
    """The order of a list; equals are ordered by their id."""

    NEWEST = "-placed_at"
    OLDEST = "placed_at"
    DEAREST = "-total"
    CHEAPEST = "total"

    @property
    def is_descending(self) -> bool:
        """True if the largest comes first."""
        return self.startswith("-")

    @property
    def by_total(self) -> bool:
        """True if it sorts by the total, which may change while somebody reads page after page."""
        return self.endswith("total")


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Filters and sorting of a restaurant's orders. Times are UTC without a zone."""

    restaurant: str
    sort: Sort = Sort.NEWEST
    statuses: frozenset[ViewStatus] = frozenset(ViewStatus)
    table: str | None = None
    customer: str | None = None
    channel: str | None = None
    words: frozenset[str] = frozenset()
    placed_from: datetime | None = None
    placed_to: datetime | None = None
    """Exclusive."""
    min_total: int = 0

    @property
    def only_active(self) -> bool:
        """True if the list can't have an order that is over."""
        return self.statuses <= ACTIVE

    @property
    def is_in_index_order(self) -> bool:
        """True if one index has just these orders in this order: no other one is looked at.

        Such a list costs what it shows; any other, a search, may cost all that there is.
        """
        terms = [each for each in (self.table, self.customer, self.channel) if each is not None]
        terms += sorted(self.words)
        is_of_active_table = self.table is not None and self.only_active
        has_status = self.statuses != frozenset(ViewStatus) and not is_of_active_table
        return not self.sort.by_total and not self.min_total and len(terms) + has_status <= 1


@dataclass(frozen=True, slots=True)
class SnapshotTime:
    """The time of a snapshot of one generation, which can be read again for some minutes."""

    generation: int
    seconds: int
    increment: int


@dataclass(frozen=True, slots=True)
class PagePosition:
    """The last order of a page, and for a list by total the snapshot of its first page."""

    key: int
    """The order's total, or when it was placed in milliseconds since 1970."""
    order_id: str
    snapshot: SnapshotTime | None = None


def milliseconds(at: datetime) -> int:
    """The milliseconds since 1970 of a time in UTC without a zone."""
    return (at - EPOCH) // MILLISECOND


def at_milliseconds(since_1970: int) -> datetime:
    """The time in UTC without a zone; raises OverflowError if there is no such time."""
    return EPOCH + since_1970 * MILLISECOND
