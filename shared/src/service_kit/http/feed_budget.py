"""How many live feeds a process serves, and how many of them for one restaurant and its guests."""

import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Iterator

from service_kit.http.problems import ProblemError
from service_kit.http.sse import Event

FEEDS_MAX = 2000
FEEDS_OF_ONE_RESTAURANT_MAX = 500
"""Of its people and devices; and as many of its guests."""
RETRY_AFTER = {"Retry-After": "5"}
"""In seconds."""


class FeedBudget:
    """Counts the feeds that are open; refuses one more where there are too many."""

    def __init__(self) -> None:
        self._open: Counter[tuple[str, bool]] = Counter()
        """By restaurant, and whether they are its guests'."""

    async def counted(
        self,
        restaurant: str,
        events: AsyncGenerator[Event | None],
        *,
        of_guest: bool = False,
    ) -> AsyncGenerator[Event | None]:
        """The events of a feed, which counts from the first of them to the end.

        Raises ProblemError in place of the first: 429 if its restaurant has too many, 503 if the
        process has.
        """
        async with contextlib.aclosing(events):
            with self.place(restaurant, of_guest=of_guest):
                async for each in events:
                    yield each
                    del each

    @contextlib.contextmanager
    def place(self, restaurant: str, *, of_guest: bool = False) -> Iterator[None]:
        """Count a feed for as long as the context lasts. Raises ProblemError as `counted` does."""
        counted = (restaurant, of_guest)
        if self._open[counted] >= FEEDS_OF_ONE_RESTAURANT_MAX:
            raise too_many_feeds(429)
        if self._open.total() >= FEEDS_MAX:
            raise too_many_feeds(503)
        self._open[counted] += 1
        try:
            yield
        finally:
            self._open[counted] -= 1
            if not self._open[counted]:
                del self._open[counted]


def too_many_feeds(status: int) -> ProblemError:
    """No feed can be begun now: of this restaurant (429), or at this replica (503)."""
    detail = "Too many live feeds are open. End one, or try again."
    return ProblemError(status, "too-many-feeds", detail, headers=RETRY_AFTER)
