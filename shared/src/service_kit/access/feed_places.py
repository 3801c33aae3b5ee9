"""How many live feeds each subject has open here."""

import contextlib
from collections import Counter
from collections.abc import Hashable, Iterator

from service_kit.access.principal import Principal
from service_kit.access.rates import identity_of
from service_kit.runtime.settings import FEEDS_PER_SUBJECT

FEEDS_PER_GUEST_MAX = 10
"""Of one order: a table's phones, which share its link."""


class TooManyFeeds(Exception):
    """A subject has as many live feeds open as it may."""


class FeedPlaces:
    """Counts the open feeds of each subject, and of each guest's order."""

    def __init__(self, per_subject: int = FEEDS_PER_SUBJECT) -> None:
        self._per_subject = per_subject
        self._open: Counter[Hashable] = Counter()

    @contextlib.contextmanager
    def place(self, principal: Principal) -> Iterator[None]:
        """Count a feed for as long as the context lasts. Raises TooManyFeeds."""
        identity = identity_of(principal)
        if self._open[identity] >= self._max_of(principal):
            raise TooManyFeeds
        self._open[identity] += 1
        try:
            yield
        finally:
            self._open[identity] -= 1
            if not self._open[identity]:
                del self._open[identity]

    def _max_of(self, principal: Principal) -> int:
        if principal.own_order:
            return min(self._per_subject, FEEDS_PER_GUEST_MAX)
        return self._per_subject
