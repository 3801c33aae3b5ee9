"""Whose tokens were withdrawn, as far as it is known here: in memory, asked for each request."""

import asyncio
import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache

from comanda_contracts.access import hash_of_subject
from comanda_contracts.subjects import EVERY_RESTAURANT

from service_kit.access.claims import CLOCK_SKEW_S
from service_kit.access.lease import Lease
from service_kit.access.principal import Principal
from service_kit.runtime.components import Ready
from service_kit.runtime.settings import TOKEN_LIFE_MAX_S, WITHDRAWAL_MARGIN_S

SWEEP_INTERVAL_S = 3600.0
"""Between two looks for what may be forgotten."""
SUBJECTS_HASHED_MAX = 10_000
NEVER = -math.inf

known_hash = lru_cache(maxsize=SUBJECTS_HASHED_MAX)(hash_of_subject)


# decision/0048: a subject is withdrawn by its hash
class Withdrawals:
    """From when on each withdrawn subject's tokens are let in.

    Of a subject's withdrawals the latest counts, so it does not matter what comes twice or late.
    It is remembered for as long as a token may live, and a day: after that none is left which it
    would keep out.
    """

    def __init__(
        self,
        *,
        token_life_max_s: float = TOKEN_LIFE_MAX_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` says the seconds since the epoch."""
        self.token_life_max_s = token_life_max_s
        self.remembered_s = token_life_max_s + WITHDRAWAL_MARGIN_S
        self._clock = clock
        self._withdrawn_at_s: dict[tuple[str, str], float] = {}
        self._leases: defaultdict[str, dict[Lease, tuple[str, Principal]]] = defaultdict(dict)
        """Those that are held, by the subject's hash: where, and by whom."""
        self._sweep_at_s = NEVER
        self._was_read = asyncio.Event()

    @property
    def count(self) -> int:
        """How many are remembered."""
        return len(self._withdrawn_at_s)

    def is_withdrawn(self, restaurant: str, principal: Principal) -> bool:
        """Whether the token was issued up to a withdrawal in the restaurant, or in every one.

        A token's time is a whole second: one of the second in which it was withdrawn counts as
        issued before. A guest has no subject of his own, and is never withdrawn.
        """
        if principal.own_order is not None or not self._withdrawn_at_s:
            return False
        subject_hash = known_hash(principal.subject)
        withdrawn_at_s = max(
            self._withdrawn_at_s.get((restaurant, subject_hash), NEVER),
            self._withdrawn_at_s.get((EVERY_RESTAURANT, subject_hash), NEVER),
        )
        return principal.issued_at <= withdrawn_at_s

    def note(self, restaurant: str, subject_hash: str, withdrawn_at_s: float) -> None:
        """Take note of a withdrawal, and end the leases that it is about."""
        key = restaurant, subject_hash
        if withdrawn_at_s <= self._withdrawn_at_s.get(key, self._clock() - self.remembered_s):
            return
        self._withdrawn_at_s[key] = withdrawn_at_s
        self._forget_old()
        for lease, (where, principal) in self._leases.get(subject_hash, {}).items():
            if self.is_withdrawn(where, principal):
                lease.withdraw()

    @contextlib.contextmanager
    def lease(self, restaurant: str, principal: Principal) -> Iterator[Lease]:
        """How long somebody who was let in may be sent a feed of the restaurant.

        Until when he would be let in again: to the end of the token and, unless he is a guest, of
        what clocks may differ by, so that nobody comes back with a token that is good and is sent
        away at once.
        """
        skew_s = CLOCK_SKEW_S if principal.own_order is None else 0
        lease = Lease(principal.expires_at + skew_s, clock=self._clock)
        if self.is_withdrawn(restaurant, principal):
            lease.withdraw()
        subject_hash = known_hash(principal.subject)
        self._leases[subject_hash][lease] = restaurant, principal
        try:
            yield lease
        finally:
            del self._leases[subject_hash][lease]
            if not self._leases[subject_hash]:
                del self._leases[subject_hash]

    def note_read(self) -> None:
        """All withdrawals that there were have been noted, once at least."""
        self._was_read.set()

    async def watch_read(self, ready: Ready) -> None:
        """Say that tokens can be judged, once all withdrawals were read; and so from then on.

        What is known is gone by while no more is heard; that nothing is heard others say.
        """
        ready(failing="the withdrawals of tokens have not been read")
        await self._was_read.wait()
        ready()
        await asyncio.Event().wait()

    def _forget_old(self) -> None:
        now_s = self._clock()
        if now_s < self._sweep_at_s:
            return
        self._sweep_at_s = now_s + SWEEP_INTERVAL_S
        for key, withdrawn_at_s in list(self._withdrawn_at_s.items()):
            if withdrawn_at_s < now_s - self.remembered_s:
                del self._withdrawn_at_s[key]
