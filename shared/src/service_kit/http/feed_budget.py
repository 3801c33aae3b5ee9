"""How many live feeds a process serves, and how many of them for one restaurant."""

import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Iterator

from service_kit.http.problems import ProblemError
from service_kit.http.sse import Event

FEEDS_MAX = 2000
FEEDS_OF_ONE_RESTAURANT_MAX = 500
RETRY_AFTER = {"Retry-After": "5"}
"""In seconds."""


class FeedBudget:
    """Counts the feeds that are open; refuses one more where there are too many."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    async def counted(
        self, restaurant: str, events: AsyncGenerator[Event | None]
    ) -> AsyncGenerator[Event | None]:
        """The events of a feed, which counts from the first of them to the end.

        Raises ProblemError in place of the first: 429 if its restaurant has too many, 503 if the
        process has.
        """
        async with contextlib.aclosing(events):
            with self.place(restaurant):
                async for each in events:
                    yield each
                    del each

    @contextlib.contextmanager
    def place(self, restaurant: str) -> Iterator[None]:
        """Count a feed for as long as the context lasts. Raises ProblemError as `counted` does."""
        if self._open[restaurant] >= FEEDS_OF_ONE_RESTAURANT_MAX:
            raise too_many_feeds(429)
        if self._open.total() >= FEEDS_MAX:
            raise too_many_feeds(503)
        self._open[restaurant] += 1
        try:
            yield
        finally:
            self._open[restaurant] -= 1
            if not self._open[restaurant]:
                del self._open[restaurant]


def too_many_feeds(status: int) -> ProblemError:
    """No feed can be begun now: of this restaurant (429), or at this replica (503)."""
    detail = "Too many live feeds are open. End one, or try again."
    return ProblemError(status, "too-many-feeds", detail, headers=RETRY_AFTER)
