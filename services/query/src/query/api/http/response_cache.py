"""A cache of responses that changes invalidate: each is made once for all who ask meanwhile."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import Response
from prometheus_client import Counter
from service_kit.http.fast_lane import RawRequest
from service_kit.runtime.request_id import REQUEST_ID

from query.api.http.responses import Body, tagged_response
from query.views.freshness import begin_noting, note_as_of

MIN_REFRESH_INTERVAL_S = 0.1
"""From the start of one response to the start of the next at least, whatever changes."""
MAX_AGE_S = 2.0
"""For which a response is fresh while nothing changes: it may tell of times, as estimates do. One
that tells of none may be fresh for longer."""
STALE_WHILE_REVALIDATE_S = 0.25
"""For which a stale response is still given while the next one is made (RFC 5861)."""
ENTRIES_MAX = 1000
"""Responses in one cache; the oldest that no live feed waits for goes first."""
BYTES_MAX = 32 * 1024 * 1024
"""Of their bodies."""

RESPONSES = Counter(
    "comanda_query_rendered", "Answers, by whether they were there", ["name", "kept"]
)


@dataclass(eq=False, slots=True)
class CachedResponse:
    """A response that is made or being made; times are those of the event loop's clock."""

    started_at: float
    task: asyncio.Task[Body]
    previous: "CachedResponse | None" = None
    """The response before it, if that one was made."""
    invalidated: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once something has changed since it was started."""
    max_age_s: float = MAX_AGE_S
    is_kept: bool = True
    """Whether it is given on once it is made; not so while changes are not told to the cache."""
    feeds: int = 0
    """The live feeds that wait until it is stale: they have to be told."""
    _stale_from: float = field(init=False)

    def __post_init__(self) -> None:
        self._stale_from = self.started_at + self.max_age_s

    @property
    def body(self) -> Body:
        """Its body. Raises what making it raised, or InvalidStateError while it is being made."""
        return self.task.result()

    @property
    def is_made(self) -> bool:
        """Whether it was made, and without an error."""
        task = self.task
        return task.done() and not task.cancelled() and task.exception() is None

    @property
    def fresh_until(self) -> float:
        """When another one is to be made in its place."""
        return max(self._stale_from, self.started_at + MIN_REFRESH_INTERVAL_S)

    @property
    def usable_until(self) -> float:
        """When it must not be given any more, even while there is no other."""
        return max(self.fresh_until, self._stale_from + STALE_WHILE_REVALIDATE_S)

    def invalidate(self) -> None:
        """Have it stale from now on, as something has changed."""
        if not self.invalidated.is_set():
            self._stale_from = min(self._stale_from, asyncio.get_running_loop().time())
            self.invalidated.set()

    async def wait_until_stale(self, timeout_s: float = math.inf) -> None:
        """Wait until another one would be made in its place, or for so long."""
        clock = asyncio.get_running_loop().time
        end = clock() + timeout_s
        self.feeds += 1
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(end, self.fresh_until)):
                    await self.invalidated.wait()
        finally:
            self.feeds -= 1
        await asyncio.sleep(max(0, min(end, self.fresh_until) - clock()))


class ResponseCache:
    """The responses of one route, by a key such as the restaurant that is asked about.

    `make` makes the body for a key. `is_notified` says whether changes are told to this cache:
    while they are not, a response is given to all who ask until it is made, and not kept. A change
    that is told while a response is being made invalidates that one too, because it may have been
    read before the change.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[str], Coroutine[Any, Any, Body]],
        is_notified: Callable[[], bool],
        max_age_s: float | None = None,
    ) -> None:
        """Without `max_age_s` a response is fresh for `MAX_AGE_S`."""
        self._make = make
        self._max_age_s = max_age_s
        self._is_notified = is_notified
        self._entries: dict[str, CachedResponse] = {}
        self._bytes = 0
        self._under_way: dict[str, CachedResponse] = {}
        """Those that are not kept."""
        self._hits, self._misses = RESPONSES.labels(name, "yes"), RESPONSES.labels(name, "no")
        self.is_closed = False

    async def get(self, key: str, *, not_before: float = 0.0) -> CachedResponse:
        """A response that was started at `not_before` or later, by the event loop's clock.

        Raises what `make` raises.
        """
        response = self._fresh(key, not_before)
        if not response.task.done():
            await asyncio.wait([response.task])  # others wait for it, too: it is not ours to end
        note_as_of(response.task.result().as_of)
        return response

    def get_nowait(self, key: str) -> Body | None:
        """A body that can be given without waiting; None if there is none.

        If it is stale the next one is started, and until that is made the stale one is given.
        """
        entry, now = self._entries.get(key), asyncio.get_running_loop().time()
        if entry is None or not self._is_notified():
            return None
        if entry.is_made and now >= entry.fresh_until:
            entry = self._start(key, now, keep=True)
        made = entry if entry.is_made else entry.previous
        if made is None or now >= made.usable_until:
            return None
        self._hits.inc()
        note_as_of(made.body.as_of)
        return made.body

    def invalidate(self, key: str) -> None:
        """Have the response of this key stale from now on."""
        if entry := self._entries.get(key):
            for each in filter(None, (entry, entry.previous)):
                each.invalidate()

    def invalidate_all(self) -> None:
        """Forget all responses."""
        entries, self._entries, self._bytes = self._entries, {}, 0
        for entry in entries.values():
            entry.invalidate()

    def close(self) -> None:
        """Wake those who wait until a response is stale: there will be no other one."""
        self.is_closed = True
        self.invalidate_all()

    def _fresh(self, key: str, not_before: float) -> CachedResponse:
        is_notified, now = self._is_notified(), asyncio.get_running_loop().time()
        entry = self._entries.get(key)
        if entry and entry.started_at >= not_before and now < entry.fresh_until:
            self._hits.inc()
            return entry
        making = self._under_way.get(key)
        if making and making.started_at >= not_before and not is_notified:
            self._hits.inc()
            return making
        self._misses.inc()
        return self._start(key, now, keep=is_notified)

    def _start(self, key: str, now: float, *, keep: bool) -> CachedResponse:
        previous = self._pop(key)
        if previous and previous.is_made:
            previous.previous = None
        elif previous:
            previous = previous.previous
        max_age_s = MAX_AGE_S if self._max_age_s is None else self._max_age_s
        making = asyncio.create_task(self._made(key))
        response = CachedResponse(now, making, previous, max_age_s=max_age_s, is_kept=keep)
        if keep:
            self._entries[key] = response
            response.task.add_done_callback(lambda _: self._on_made(key, response))
            self._evict()
        else:
            self._under_way[key] = response
            response.task.add_done_callback(lambda _: self._forget(key, response))
            response.invalidate()
        return response

    async def _made(self, key: str) -> Body:
        """The body, which says how old it is to all who are answered with it."""
        REQUEST_ID.set("")  # it is made for all who ask
        used = begin_noting()
        return replace(await self._make(key), as_of=used.as_of)

    def _forget(self, key: str, response: CachedResponse) -> None:
        if self._under_way.get(key) is response:
            del self._under_way[key]

    def _on_made(self, key: str, response: CachedResponse) -> None:
        """Keep it, or forget it if it failed."""
        if self._entries.get(key) is not response:
            return
        if response.is_made:
            self._bytes += len(response.body.json)
            self._evict()
        else:
            del self._entries[key]

    def _evict(self) -> None:
        """Drop the oldest responses that no live feed waits for, until the others fit."""
        while len(self._entries) > ENTRIES_MAX or self._bytes > BYTES_MAX:
            unwatched = (key for key, entry in self._entries.items() if not entry.feeds)
            key = next(unwatched, None)
            if key is None:
                return
            self._pop(key)

    def _pop(self, key: str) -> CachedResponse | None:
        entry = self._entries.pop(key, None)
        if entry and entry.is_made:
            self._bytes -= len(entry.body.json)
        return entry


async def cached_response(body: Body, request: RawRequest) -> Response:
    """The cached body as the answer to this question; 304 if the client has it already."""
    return tagged_response(body, request.headers.get("if-none-match"))
