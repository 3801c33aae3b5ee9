"""The clock of every service."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The time, to the millisecond: what every store and every client can keep."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
