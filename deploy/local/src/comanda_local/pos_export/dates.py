"""Dates and times as people write them, and in what order day, month and year stand.

A general parser (dateutil) takes whatever can be a date for one; here a value that allows two
readings must not be read at all.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from functools import partial

from comanda_local.pos_export.findings import Ambiguous, NotAnExport

YEARS = range(1970, 2100)
CENTURY = 2000
LATEST_SHORT_YEAR = 68
"""Of years of two digits; a later one is of the century before, as POSIX has it."""
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
_PART = r"([0-9]{1,4}|[A-Za-z]{3,9}\.?)"
_DATE = re.compile(rf"{_PART}([-/.]|,? ){_PART}([-/.]|,? )([0-9]{{1,4}})(?:(?:,? |T)(.+))?")
_TIME = re.compile(
    r"([0-9]{1,2})([:.])([0-9]{2})(?:\2([0-9]{2})(?:[.,][0-9]{1,9})?)? ?([AaPp]\.?[Mm]\.?)?"
)
_TIME_AT_THE_END = re.compile(r"(.+?)[T ]([0-9]{1,2}[:.][0-9]{2}\b.*)")
_EXAMPLE = datetime(2019, 8, 13, 20, 25)  # noqa: DTZ001 - of no place

NOON = 12


class DateOrder(StrEnum):
    """In what order a date's parts stand."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"
    YEAR_FIRST = "year-first"


PLACES = {
    DateOrder.DAY_FIRST: (2, 1, 0),
    DateOrder.MONTH_FIRST: (2, 0, 1),
    DateOrder.YEAR_FIRST: (0, 1, 2),
}
"""Of year, month and day."""

Parts = tuple[str, str, str]
Shape = tuple[str, str, bool]
"""What tells one manner of writing dates from another: delimiters, and a year before the first."""
DateReader = Callable[[str], datetime]
"""Reads a date and time; raises ValueError."""


@dataclass(frozen=True, slots=True)
class Written:
    """A date as it is written, in its parts."""

    parts: Parts
    shape: Shape
    time: str | None

    def readings(self) -> dict[DateOrder, date]:
        """What day it may be, by the order of the parts."""
        found = {order: _day(self.parts, order) for order in DateOrder}
        return {order: day for order, day in found.items() if day is not None}


def guess_dates(values: Iterable[tuple[int, str]]) -> tuple[DateReader, str]:
    """A reader for the dates of a column and why, from its values with their lines.

    Each manner of writing is decided by its own values. Raises Ambiguous.
    """
    shapes: dict[Shape, dict[str, tuple[int, Written]]] = {}
    with_half = False
    first_lines: dict[str, int] = {}
    for line, value in values:
        first_lines.setdefault(value, line)
    for value, line in first_lines.items():
        written = _written(value)
        if written and written.readings():
            shapes.setdefault(written.shape, {})[value] = (line, written)
            with_half = with_half or _has_half(written.time)
    decided = {shape: _order(found) for shape, found in shapes.items()}
    orders = {shape: order for shape, (order, _) in decided.items()}
    note = "; ".join(dict.fromkeys(why for _, why in decided.values()))
    return partial(_read, orders=orders, with_half=with_half), f"dates: {note or 'none'}"


def given_dates(date_format: str) -> DateReader:
    """A reader for dates of a format: an order, or one of strptime's. Raises NotAnExport."""
    if date_format in set(DateOrder):
        return partial(_read, orders=None, with_half=False, order=DateOrder(date_format))
    try:
        example = _EXAMPLE.strftime(date_format)
        same = datetime.strptime(example, date_format).date() == _EXAMPLE.date()  # noqa: DTZ007
    except (ValueError, re.error):
        same = False
    if not same:
        raise NotAnExport(
            f"--date-format is {', '.join(DateOrder)} or such as %d/%m/%Y %H:%M, "
            f"with day, month and year; not {date_format!r}"
        )
    return partial(_strptime, date_format=date_format)


def _order(found: Mapping[str, tuple[int, Written]]) -> tuple[DateOrder, str]:
    """The one order that fits all values of a shape, and what decided."""
    common = set(DateOrder)
    deciding = next(iter(found))
    for value, (line, written) in found.items():
        fitting = common & written.readings().keys()
        if not fitting:
            raise Ambiguous(
                f"dates stand in different orders: {deciding!r} (line {found[deciding][0]}) and "
                f"{value!r} (line {line}); say which with --date-format"
            )
        if fitting < common:
            deciding = value
        common = fitting
    _must_agree(common, found)
    order = next(order for order in DateOrder if order in common)
    return order, f"{order} by {deciding!r} in line {found[deciding][0]}"


def _must_agree(orders: set[DateOrder], found: Mapping[str, tuple[int, Written]]) -> None:
    for value, (line, written) in found.items():
        days = {order: day for order, day in written.readings().items() if order in orders}
        if len(set(days.values())) > 1:
            which = " or ".join(f"{day:%d %B %Y}" for day in dict.fromkeys(days.values()))
            raise Ambiguous(
                f"{value!r} (line {line}) is {which}, and no value decides; "
                f"say --date-format {' or '.join(days)}"
            )


def _read(
    text: str,
    *,
    orders: Mapping[Shape, DateOrder] | None,
    with_half: bool,
    order: DateOrder | None = None,
) -> datetime:
    written = _written(text)
    if written is not None:
        chosen = order or (orders or {}).get(written.shape)
        day = _day(written.parts, chosen) if chosen else None
        if day is not None and not (with_half and written.time and not _has_half(written.time)):
            return datetime.combine(day, _time(written.time, text))
    raise ValueError(f"{text!r} is not a date as the others are, or as 31/12/2019 20:25")


def _strptime(text: str, *, date_format: str) -> datetime:
    day, clock = " ".join(text.split()), None
    if not re.search(r"%[HIcXT]", date_format) and (found := _TIME_AT_THE_END.fullmatch(day)):
        day, clock = found[1].rstrip(","), found[2]
    try:
        read = datetime.strptime(day, date_format)  # noqa: DTZ007 - local time, as sold
    except ValueError:
        raise ValueError(f"{text!r} is not a date such as {_EXAMPLE:{date_format}}") from None
    local = read.replace(tzinfo=None)
    return datetime.combine(local.date(), _time(clock, text)) if clock else local


def _written(text: str) -> Written | None:
    found = _DATE.fullmatch(" ".join(text.split()))
    if found is None:
        return None
    a, first, b, second, c, clock = found.groups()
    named = not (a.isdigit() and b.isdigit())
    if not named and (first != second or first not in "-/."):
        return None
    return Written((a, b, c), (first, second, a.isdigit() and len(a) > 2), clock)  # noqa: PLR2004


def _day(parts: Parts, order: DateOrder) -> date | None:
    year, month, day = (parts[place] for place in PLACES[order])
    if not (year.isdigit() and len(year) in (2, 4) and day.isdigit() and len(day) <= 2):  # noqa: PLR2004
        return None
    try:
        found = date(_year(year), _month(month), int(day))
    except ValueError:
        return None
    return found if found.year in YEARS else None


def _year(text: str) -> int:
    year = int(text)
    if len(text) > 2:  # noqa: PLR2004 - written out
        return year
    return year + (CENTURY if year <= LATEST_SHORT_YEAR else CENTURY - 100)


def _month(text: str) -> int:
    if text.isdigit():
        return int(text) if len(text) <= 2 else 0  # noqa: PLR2004 - no month has three digits
    name = text.lower().rstrip(".")
    known = [m for m, full in enumerate(MONTHS, 1) if name in (full, full[:3])]
    return known[0] if known else 9 * (name == "sept")


def _has_half(clock: str | None) -> bool:
    """Whether a time says AM or PM."""
    found = _TIME.fullmatch(clock) if clock else None
    return bool(found and found[5])


def _time(text: str | None, whole: str) -> time:
    if text is None:
        return time()
    found = _TIME.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        return time(_hour(int(found[1]), found[5]), int(found[3]), int(found[4] or 0))
    except ValueError:
        raise ValueError(f"{whole!r} is not a date with a time such as 20:25") from None


def _hour(hour: int, half: str | None) -> int:
    """The hour of 24. Raises ValueError if a clock with AM and PM has it not."""
    if half is None:
        return hour
    if not 1 <= hour <= NOON:
        raise ValueError
    return hour % NOON + (NOON if half[0] in "Pp" else 0)
