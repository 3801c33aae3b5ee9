"""What a list of orders is asked for, and where a page of it ends."""

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
        """Whether the largest comes first."""
        return self.startswith("-")

    @property
    def by_total(self) -> bool:
        """Whether it sorts by what may change while somebody reads page after page."""
        return self.endswith("total")


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which orders of a restaurant, and in which order. Times are UTC without a zone."""

    restaurant: str
    sort: Sort = Sort.NEWEST
    statuses: frozenset[ViewStatus] = frozenset(ViewStatus)
    table: str | None = None
    customer: str | None = None
    channel: str | None = None
    words: frozenset[str] = frozenset()
    placed_from: datetime | None = None
    placed_to: datetime | None = None
    """Orders that were placed then are not in the list any more."""
    min_total: int = 0

    @property
    def only_active(self) -> bool:
        """Whether no order that is over can be in it."""
        return self.statuses <= ACTIVE


@dataclass(frozen=True, slots=True)
class SnapshotTime:
    """A state of one generation of the store, which can be read again for some minutes."""

    generation: int
    seconds: int
    increment: int


@dataclass(frozen=True, slots=True)
class PagePosition:
    """Where a page ended: its last order, and for a list by total when the first page was read."""

    key: int
    """The order's total, or when it was placed in milliseconds since 1970."""
    order_id: str
    moment: SnapshotTime | None = None


def milliseconds(at: datetime) -> int:
    """Of a time in UTC without a zone, since 1970."""
    return (at - EPOCH) // MILLISECOND


def at_milliseconds(since_1970: int) -> datetime:
    """The time in UTC without a zone; raises OverflowError if there is no such time."""
    return EPOCH + since_1970 * MILLISECOND
