"""The span of time of a sales report: business days, or hours of UTC."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema
from service_kit.http.problems import ProblemError

from query.views.sales.view import Span

SPAN_DAYS_MAX = 1100
"""Business days that are summed up for one answer: three years."""
SPAN_DAYS_BY_HOUR_MAX = 62
"""Business days that are shown or summed up by their hours for one answer: two months."""

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _day_or_hour(text: str) -> date | datetime:
    """A business day, or the beginning of an hour: UTC, without a zone as the store has it."""
    if DAY.fullmatch(text):
        return date.fromisoformat(text)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time needs its offset from UTC, such as Z")
    try:
        at = at.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise ValueError("there is no such time in UTC") from None
    if at != at.replace(minute=0, second=0, microsecond=0):
        raise ValueError("a time must be a full hour of UTC")
    return at


DayOrHour = Annotated[
    Any,
    PlainValidator(_day_or_hour),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date"},
                {"type": "string", "format": "date-time"},
            ],
            "examples": ["2026-11-23", "2026-11-23T18:00:00Z"],
        }
    ),
]
"""A business day such as `2026-11-23`, or a full hour such as `2026-11-23T18:00Z`."""


def span_of(restaurant: str, begin: date, end: date, *, by_hours: bool) -> Span:
    """From business day `begin` to `end`, which is part of it; or between two hours, without `end`.

    Raises ProblemError if they are of two kinds, the wrong way round or too far apart.
    """
    if isinstance(begin, datetime) and isinstance(end, datetime):
        span = _between_hours(restaurant, begin, end)
        by_hours = True
    elif isinstance(begin, datetime) or isinstance(end, datetime):
        raise _refused("`from` and `to` must both be business days or both be hours.")
    else:
        span = Span(restaurant, begin.isoformat(), end.isoformat())
    days, most = (end - begin).days + 1, SPAN_DAYS_BY_HOUR_MAX if by_hours else SPAN_DAYS_MAX
    if days < 1 or (begin == end and span.start):
        raise _refused("`to` must be after `from`.")
    if days > most:
        raise _refused(f"Ask for at most {most} days at once; more than two months not by hours.")
    return span


def _between_hours(restaurant: str, start: datetime, end: datetime) -> Span:
    """Local time is up to 14 h ahead of UTC and 12 h behind it; a day begins up to 24 h late."""
    first, last = _beside(start, -2).isoformat(), _beside(end, 1).isoformat()
    return Span(restaurant, first, last, start, end)


def _beside(day: date, days: int) -> date:
    """So many days later, within the calendar."""
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal()))


def _refused(detail: str) -> ProblemError:
    return ProblemError(422, "invalid-request", detail, field="to")
