"""Whether the archives take in what is on their streams: what they lack is lost once it leaves."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

import nats.errors
from comanda_contracts.streams import Archive
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from prometheus_client import Gauge
from service_kit.runtime.components import Ready

CHECK_INTERVAL_S = 5.0
CHECK_TIMEOUT_S = 3.0
BEHIND_MAX_S = 60.0
"""Seconds in which an archive has what was stored: one that has lost its stream is back sooner."""

BEHIND = Gauge(
    "comanda_query_archive_behind_seconds",
    "For which an archive has lacked something that is on its stream, as far as this process has "
    "looked on: from its start; absent while NATS is away, or there is no archive",
    ["archive"],
)


# decision/0065: the past is in an archive
class ArchiveLag:
    """What the archives of some streams lack. One that is not there is not missed."""

    def __init__(self, archives: Sequence[Archive]) -> None:
        self._archives = archives
        self._awaited: dict[str, tuple[int, float]] = {}
        """By archive a sequence that its stream had, and since when that is awaited."""

    async def keep_checking(
        self, jetstream: Callable[[], Awaitable[JetStreamContext]], ready: Ready
    ) -> None:
        """Check, for ever, and report which are behind. While NATS is away nothing new is known."""
        reasons: list[str] = []
        while True:
            try:
                async with asyncio.timeout(CHECK_TIMEOUT_S):
                    reasons = await self.check(await jetstream(), now=time.monotonic())
            except (nats.errors.Error, TimeoutError, OSError):
                BEHIND.clear()
            ready(failing="; ".join(reasons) or None)
            await asyncio.sleep(CHECK_INTERVAL_S)

    async def check(self, js: JetStreamContext, *, now: float) -> list[str]:
        """Why archives lack something that is on their streams. Raises nats.errors.Error."""
        reasons = [await self._reason(js, each, now) for each in self._archives]
        return [each for each in reasons if each]

    async def _reason(self, js: JetStreamContext, archive: Archive, now: float) -> str | None:
        try:
            held = (await js.stream_info(archive.name)).state.last_seq
            end = (await js.stream_info(archive.origin)).state.last_seq
        except NotFoundError:
            self._forget(archive)
            return None
        awaited, since = self._awaited.get(archive.name, (held, now))
        has_taken_in = held >= awaited and held <= end
        if has_taken_in:
            since = now
            awaited = end
        self._awaited[archive.name] = awaited, since
        BEHIND.labels(archive.name).set(0.0 if has_taken_in else now - since)
        if held > end:
            return (
                f"{archive.name} goes to {held} and {archive.origin} only to {end}: until then it "
                "takes in nothing"
            )
        if has_taken_in or now - since < BEHIND_MAX_S:
            return None
        return f"{archive.name} is at {held}, and {archive.origin} at {end}"

    def _forget(self, archive: Archive) -> None:
        """What is not known is not exported."""
        self._awaited.pop(archive.name, None)
        with contextlib.suppress(KeyError):
            BEHIND.remove(archive.name)
