"""How long a guest has still to wait: his order's place in the queue, and an estimated range."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SPREAD_OF_REMAINDER = 0.25
"""To either side of the estimate, of the time that is left until then."""
SPREAD_S_MIN = 120.0
MINUTE_S = 60


def wait_for(
    order_id: str, prepared: Mapping[str, Any] | None, now: datetime
) -> dict[str, str | int | datetime | None]:
    """The wait for an order, of which `prepared` is what the board's `preparing` has; None if it is
    not there.

    It says nothing of other orders but how many rounds are before its own. The range is of whole
    minutes, and does not begin before `now`.
    """
    known = prepared or {}
    estimate = known.get("estimated_ready_at")
    earliest, latest = (None, None) if estimate is None else _range(_at(estimate), now)
    return {
        "order_id": order_id,
        "position": known.get("position"),
        "ready_from": earliest,
        "ready_until": latest,
    }


def _at(estimate: str | datetime) -> datetime:
    return datetime.fromisoformat(estimate) if isinstance(estimate, str) else estimate


def _range(estimate: datetime, now: datetime) -> tuple[datetime, datetime]:
    left_s = max(0.0, (estimate - now).total_seconds())
    spread_s = max(SPREAD_S_MIN, left_s * SPREAD_OF_REMAINDER)
    latest_s = math.ceil((now.timestamp() + left_s + spread_s) / MINUTE_S) * MINUTE_S
    earliest_s = math.floor((now.timestamp() + left_s - spread_s) / MINUTE_S) * MINUTE_S
    begin_s = math.floor(now.timestamp() / MINUTE_S) * MINUTE_S
    return (
        datetime.fromtimestamp(max(earliest_s, begin_s), UTC),
        datetime.fromtimestamp(latest_s, UTC),
    )
