"""Repeats what failed because MongoDB or NATS was away, for as long as an operator would wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import nats.errors
from nats.js.errors import BadRequestError, NotFoundError

from query.views.ports import StoreUnavailable

Result = TypeVar("Result")

ABSENCE_TIMEOUT_S = 120.0
"""For which a server may be away: longer than MongoDB keeps what a dead process had begun."""
RETRY_PAUSE_S = 0.5
"""Between two attempts."""


class Absence:
    """How long a server has been away: counted from the first failure in a row.

    However long all went well before, and however often it had been away, does not count.
    """

    def __init__(self) -> None:
        self._began_at: float | None = None

    async def endure(self, failure: Exception) -> None:
        """Pause before another attempt. Raises the failure if the absence has lasted too long."""
        now = time.monotonic()
        if self._began_at is None:
            self._began_at = now
        if now - self._began_at > ABSENCE_TIMEOUT_S:
            raise failure
        await asyncio.sleep(RETRY_PAUSE_S)

    def end(self) -> None:
        """The server has answered."""
        self._began_at = None


# decision/0033: batches, retries and live events are a few lines of our own
async def retry_while_away(work: Callable[[], Awaitable[Result]]) -> Result:
    """Do work that is safe to repeat until it succeeds, or a server is away for too long.

    Raises StoreUnavailable, nats.errors.Error or OSError then; any other failure at once.

    stamina and tenacity were considered. Both bound the time from the beginning of the first
    attempt, so that an hour's work that fails once would not be repeated at all; what would be left
    to write for them is `Absence`, which a reader of a stream needs in any case: it counts anew
    with each batch that has come.
    """
    absence = Absence()
    while True:
        try:
            return await work()
        except (NotFoundError, BadRequestError):
            raise
        except (StoreUnavailable, nats.errors.Error, OSError) as error:
            await absence.endure(error)
