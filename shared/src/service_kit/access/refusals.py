"""Who was not let in is counted by the reason and logged, now and then, without the token."""

import time
from collections.abc import Callable

from prometheus_client import Counter
from structlog import get_logger

from service_kit.runtime.terminal import printable

LOG_INTERVAL_S = 10.0
"""Between two lines of one reason: a flood of refusals is no flood of lines."""
LOGGED_LENGTH_MAX = 200

REFUSED = Counter(
    "comanda_access_refused_total",
    "Requests and commands that were refused for who sent them",
    ["reason"],
)

log = get_logger()


class Refusals:
    """Counts refusals; of each reason one is logged in `LOG_INTERVAL_S`, with those before it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged_at: dict[str, float] = {}
        self._unlogged: dict[str, int] = {}

    def note(self, reason: str, asked: str, subject: str | None = None) -> None:
        """Take note of one: what was asked for, and by whom if that is known."""
        REFUSED.labels(reason).inc()
        now = self._clock()
        if now - self._logged_at.get(reason, -LOG_INTERVAL_S) < LOG_INTERVAL_S:
            self._unlogged[reason] = self._unlogged.get(reason, 0) + 1
            return
        self._logged_at[reason] = now
        log.warning(
            "access refused",
            reason=reason,
            asked=printable(asked[:LOGGED_LENGTH_MAX]),
            subject=subject,
            unlogged=self._unlogged.pop(reason, 0),
        )
