"""How often may be asked: so many requests of a subject, and of a restaurant, in a window."""

import time
from collections.abc import Callable, Hashable

from limits import RateLimitItem, parse

from service_kit.access.principal import Principal
from service_kit.runtime.settings import RATE_PER_RESTAURANT, RATE_PER_SUBJECT

GUESTS = "guests"


class TooManyRequests(Exception):
    """A subject, or a restaurant, has asked too often."""

    def __init__(self, wait_s: float) -> None:
        """After `wait_s` seconds it may ask again."""
        super().__init__(f"not for {wait_s} s")
        self.wait_s = wait_s


class SlidingCounter:
    """Counts by key in windows of one length; the window before counts by what overlaps.

    Keys are forgotten a whole window at a time, so that no more are kept than two windows had.
    """

    def __init__(self, rate: RateLimitItem) -> None:
        self._limit = rate.amount
        self._window_s = rate.get_expiry()
        self._window = 0.0
        self._counts: dict[Hashable, int] = {}
        self._counts_before: dict[Hashable, int] = {}

    def wait_s(self, key: Hashable, now_s: float) -> float | None:
        """Count one and return None; of one too many count none, and return the seconds to wait.

        Once they are over, one is let through, unless others came first.
        """
        window, into_s = divmod(now_s, self._window_s)
        if window == self._window - 1:  # it comes late
            into_s = 0.0
        elif window != self._window:
            self._begin(window)
        count, before = self._counts.get(key, 0), self._counts_before.get(key, 0)
        if count + before * (1 - into_s / self._window_s) < self._limit:
            self._counts[key] = count + 1
            return None
        if count >= self._limit:
            return self._window_s - into_s
        return max(0.0, self._window_s * (1 - (self._limit - count) / before) - into_s)

    def _begin(self, window: float) -> None:
        self._counts_before = self._counts if window == self._window + 1 else {}
        self._counts = {}
        self._window = window


# decision/0053: rates are counted in two dictionaries
class Rates:
    """Counts requests of those who were let in, and refuses what is over a rate."""

    def __init__(
        self,
        of_subject: str = RATE_PER_SUBJECT,
        of_restaurant: str = RATE_PER_RESTAURANT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Rates in the notation of `limits`, such as `1000/second`."""
        self._of_subject = SlidingCounter(parse(of_subject))
        self._of_restaurant = SlidingCounter(parse(of_restaurant))
        self._clock = clock

    def count(
        self, restaurant: str | None, principal: Principal, *, at_s: float | None = None
    ) -> None:
        """Count a request, for its subject alone if it is about no one restaurant.

        Raises TooManyRequests, and then counts nothing for the restaurant.

        It was made at `at_s` of the clock, or now; one that comes after later ones counts as they.

        A guest's are his order's; a restaurant's guests have its rate beside its staff, whom they
        can't keep from their work. It is their own restaurant's, whichever they ask for.
        """
        payer: Hashable | None = restaurant
        if own := principal.own_order:
            payer = GUESTS, own[0]
        now_s = self._clock() if at_s is None else at_s
        wait_s = self._of_subject.wait_s(identity_of(principal), now_s)
        if wait_s is None and payer is not None:
            wait_s = self._of_restaurant.wait_s(payer, now_s)
        if wait_s is not None:
            raise TooManyRequests(wait_s)


def identity_of(principal: Principal) -> Hashable:
    """As whom somebody is counted: all guests have one subject, and each an order."""
    return principal.own_order or principal.subject
