"""The issuer's public keys, as they were read last: kept through any outage of the issuer."""

import asyncio
import time
from collections.abc import Callable

from prometheus_client import Counter, Gauge
from structlog import get_logger

from service_kit.access.jwks import Key, Keys, keys_in
from service_kit.access.key_source import KeySource, KeysUnreadable
from service_kit.runtime.components import Component, Ready

LOOK_INTERVAL_S = 1.0
FIRST_READ_PAUSE_S = 1.0
"""Between attempts while there are no keys at all."""
FETCH_WAIT_MAX_S = 6.0
"""So long a request with an unknown key waits for the fetch that it shares with others."""

READS = Counter("comanda_access_key_reads_total", "Reads of the issuer's keys", ["outcome"])
READ_AT = Gauge(
    "comanda_access_keys_read_timestamp_seconds",
    "When keys were last read well, in seconds since the epoch",
    ["of"],
)

log = get_logger()


class KeysUnavailable(Exception):
    """No set of keys has been read since the service began: nobody can be known yet."""


class KeyBeingRead(KeysUnavailable):
    """One key is unknown, and the issuer is being asked: it may be known in a few seconds."""


class KeySet:
    """Keys by algorithm and `kid`, read again now and then and when one is asked for that is new.

    The last good set stays, whatever the issuer does meanwhile. However many unknown keys are asked
    for, a read begins no sooner than the source's pause after the one before.
    """

    def __init__(
        self,
        source: KeySource,
        clock: Callable[[], float] = time.monotonic,
        *,
        of: str = "issuer",
    ) -> None:
        """`clock` says seconds from any point in time; `of` whose keys they are, in metrics."""
        self.revision = 0
        """Counts the sets that differed from the one before."""
        self._source = source
        self._of = of
        self._clock = clock
        self._keys: Keys = {}
        self._content: bytes | None = None
        self._unusable: str | None = None
        self._failing: str | None = None
        self._begun_at: float | None = None
        self._read: asyncio.Task[None] | None = None

    async def find(
        self, algorithm: str, key_id: str | None, *, wait_s: float | None = FETCH_WAIT_MAX_S
    ) -> Key | None:
        """The key, after a look for it at the issuer if it is unknown; None if there is none.

        For so long that look is waited for, which goes on by itself; with None there is none.
        Raises KeyBeingRead if it is not over by then, and KeysUnavailable.
        """
        key, is_over = self._known(algorithm, key_id), True
        if key is None and wait_s is not None:
            is_over = await self._read_shared(self._source.pause_min_s, wait_s)
            key = self._known(algorithm, key_id)
        if key is None and not self._keys:
            raise KeysUnavailable(self._failing)
        if key is None and not is_over:
            raise KeyBeingRead
        return key

    async def refresh(self) -> None:
        """Read the keys if it is time to."""
        if not self._keys:
            await self._read_shared(FIRST_READ_PAUSE_S)
        elif self._failing:
            await self._read_shared(max(self._source.pause_min_s, FIRST_READ_PAUSE_S))
        else:
            await self._read_shared(self._source.interval_s)

    async def run(self, ready: Ready) -> None:
        """Keep the keys; a service is ready from the first good set on."""
        try:
            while True:
                await self.refresh()
                ready(None if self._keys else f"no keys: {self._failing}")
                await asyncio.sleep(LOOK_INTERVAL_S)
        finally:
            if self._read is not None:
                self._read.cancel()
            await self._source.close()

    def component(self) -> Component:
        """What keeps them, beside the service's HTTP side."""
        return Component("keys", self.run)

    def _known(self, algorithm: str, key_id: str | None) -> Key | None:
        """The key; of a token that names none, the only one of its algorithm."""
        if key_id is not None:
            return self._keys.get((algorithm, key_id))
        fitting = [key for (name, _), key in self._keys.items() if name == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    async def _read_shared(self, pause_s: float, wait_s: float = FETCH_WAIT_MAX_S) -> bool:
        """Take part in the read that is on its way, or begin one if the last is so long ago.

        Returns whether none is on its way any more.
        """
        if self._read is None:
            if self._begun_at is not None and self._clock() - self._begun_at < pause_s:
                return True
            self._begun_at = self._clock()
            self._read = asyncio.create_task(self._read_once())
            self._read.add_done_callback(self._ended)
        _, late = await asyncio.wait([self._read], timeout=wait_s)
        return not late

    def _ended(self, read: asyncio.Task[None]) -> None:
        self._read = None
        if not read.cancelled() and (error := read.exception()):
            log.error("reading the issuer's keys failed", exc_info=error)

    async def _read_once(self) -> None:
        try:
            failing = self._take(await self._source.read())
        except KeysUnreadable as error:
            failing = str(error)
        READS.labels("failed" if failing else "read").inc()
        if not failing:
            READ_AT.labels(self._of).set(time.time())
        self._show(failing)

    def _take(self, content: bytes) -> str | None:
        """Take a set over; returns what is wrong with it, and keeps the one before then."""
        if content == self._content:
            return self._unusable
        self._content, self._unusable = content, None
        try:
            self._keys = keys_in(content)
        except KeysUnreadable as error:
            self._unusable = str(error)
        else:
            self.revision += 1
            log.info("the issuer's keys were read", keys=len(self._keys))
        return self._unusable

    def _show(self, reason: str | None) -> None:
        """Take over how the last read ended; what is new about it is logged."""
        if reason and reason != self._failing:
            log.warning("the issuer's keys can't be read", reason=reason, kept=len(self._keys))
        self._failing = reason
