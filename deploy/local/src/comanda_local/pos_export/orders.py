"""Rows that were sold together, as orders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from comanda_local.pos_export.file_format import Numbers
from comanda_local.pos_export.reading import Reading
from comanda_local.pos_export.sheet import Row

MOST_LINES = 200
"""Of an order; ordering's limit."""
LONGEST_ORDER = timedelta(hours=6)
"""Between two of its rows; what is further apart may be two orders of one number."""


@dataclass(frozen=True, slots=True)
class SoldLine:
    """So many of an item, and the options that were chosen."""

    sku: str
    quantity: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class SoldOrder:
    """One order as it was sold then: an item perhaps more than once."""

    number: str
    at: datetime | None
    """Local time of the shop; None if the export does not tell."""
    lines: tuple[SoldLine, ...]


@dataclass(frozen=True, slots=True)
class SoldRow:
    """A row that could be read."""

    row: Row
    number: str
    at: datetime | None
    sold: SoldLine


def to_orders(
    rows: Sequence[SoldRow], numbers: Numbers | None, reading: Reading
) -> list[SoldOrder]:
    """Bring the rows of each order together, the orders by date.

    There are none, and a question, if numbers seem to have been used anew.
    """
    by_number: dict[str, list[SoldRow]] = {}
    for row in rows:
        by_number.setdefault(row.number, []).append(row)
    apart = [pair for of_one in by_number.values() if (pair := _apart(of_one))]
    if apart and numbers is None:
        reading.questions.append(_question(apart))
        return []
    groups = [
        group
        for of_one in by_number.values()
        for group in (_parted(of_one) if numbers is Numbers.REUSED else [of_one])
    ]
    orders = [_order(group, reading) for group in groups]
    dated = [order for order in orders if order.at is not None]
    return sorted(dated, key=lambda order: (order.at, order.number)) if dated else orders


def _apart(rows: Sequence[SoldRow]) -> tuple[SoldRow, SoldRow] | None:
    """Two rows of one number that are too far apart for one order, if there are any."""
    for earlier, later in pairwise(_by_time(rows)):
        if earlier.at and later.at and later.at - earlier.at > LONGEST_ORDER:
            return earlier, later
    return None


def _question(apart: Sequence[tuple[SoldRow, SoldRow]]) -> str:
    earlier, later = apart[0]
    return (
        f"order {earlier.number} has rows of {earlier.at:%Y-%m-%d %H:%M} (line {earlier.row.line}) "
        f"and of {later.at:%Y-%m-%d %H:%M} (line {later.row.line}), and {len(apart):,} numbers are "
        f"so; say --numbers {Numbers.REUSED} if these are different orders, else {Numbers.UNIQUE}"
    )


def _parted(rows: Sequence[SoldRow]) -> Iterator[list[SoldRow]]:
    """The rows of one number, parted where much time lies between."""
    group: list[SoldRow] = []
    for row in _by_time(rows):
        if group and row.at and group[-1].at and row.at - group[-1].at > LONGEST_ORDER:
            yield group
            group = []
        group.append(row)
    yield group


def _by_time(rows: Sequence[SoldRow]) -> list[SoldRow]:
    return sorted(rows, key=lambda row: (row.at is not None, row.at))


def _order(rows: Sequence[SoldRow], reading: Reading) -> SoldOrder:
    for row in rows[MOST_LINES:]:
        reading.leave_out(row.row, f"order {row.number} has more than {MOST_LINES} lines")
    kept = rows[:MOST_LINES]
    at = min((row.at for row in kept if row.at), default=None)
    return SoldOrder(rows[0].number, at, tuple(row.sold for row in kept))
