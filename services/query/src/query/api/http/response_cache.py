"""Answers that are kept until something changes: computed once for all who ask meanwhile."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from fastapi import Response
from prometheus_client import Counter
from service_kit.http.fast_lane import RawRequest

from query.api.http.responses import Body, tagged

HOLD = 0.1
"""Seconds at least from one answer's beginning to the next one's, whatever changes."""
KEPT = 2.0
"""Seconds that an answer is good for while nothing changes: it may speak of the time."""
MEANWHILE = 0.25
"""Seconds that one that is good no more is given while the next is read: how old it may be."""
MOST = 1000
"""Answers that are kept at most."""

ASKED = Counter("comanda_query_rendered", "Answers, by whether they were there", ["name", "kept"])


@dataclass(eq=False, slots=True)
class Rendering:
    """An answer, there or under way; `outdated` is set once something has changed since."""

    begun: float
    task: asyncio.Task[Body]
    before: "Rendering | None" = None
    """The one before it, which was there."""
    outdated: asyncio.Event = field(default_factory=asyncio.Event)
    _stale_from: float = field(init=False)

    def __post_init__(self) -> None:
        self._stale_from = self.begun + KEPT

    @property
    def body(self) -> Body:
        """The answer, once it is there."""
        return self.task.result()

    @property
    def is_there(self) -> bool:
        """Whether the answer was read, and well."""
        task = self.task
        return task.done() and not task.cancelled() and task.exception() is None

    @property
    def good_until(self) -> float:
        """When another is to be given in its place, by the loop's clock."""
        return max(self._stale_from, self.begun + HOLD)

    @property
    def given_until(self) -> float:
        """When it is not to be given any more, even if there is no other."""
        return max(self.good_until, self._stale_from + MEANWHILE)

    def outdate(self) -> None:
        """Something has changed now."""
        if not self.outdated.is_set():
            self._stale_from = min(self._stale_from, asyncio.get_running_loop().time())
            self.outdated.set()

    async def until_outdated(self) -> None:
        """Wait until another would be given in its place."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self.good_until):
                await self.outdated.wait()
        await asyncio.sleep(max(0, self.good_until - asyncio.get_running_loop().time()))


class Renderings:
    """The answers to one question, by the restaurant that is asked about.

    `is_told` says whether this hears of changes; while it does not, nothing is kept. A change that
    is heard of while an answer is under way counts: it may have been read before.
    """

    def __init__(
        self,
        name: str,
        render: Callable[[str], Coroutine[Any, Any, Body]],
        is_told: Callable[[], bool],
    ) -> None:
        self._render = render
        self._is_told = is_told
        self._kept: dict[str, Rendering] = {}
        self._hits, self._misses = ASKED.labels(name, "yes"), ASKED.labels(name, "no")
        self.is_closed = False

    async def of(self, restaurant: str, *, since: float = 0.0) -> Rendering:
        """An answer that was not begun before `since`, by the loop's clock.

        Raises what `render` does.
        """
        rendering = self._there(restaurant, since)
        if not rendering.task.done():
            await asyncio.wait([rendering.task])  # others wait for it, too: it is not ours to end
        rendering.task.result()
        return rendering

    def at_once(self, restaurant: str) -> Body | None:
        """The answer, if there is one to be given without waiting.

        Of one that is good no more the next is begun, and until it is there the old one is given.
        """
        kept, now = self._kept.get(restaurant), asyncio.get_running_loop().time()
        if kept is None or not self._is_told():
            return None
        if kept.is_there and now >= kept.good_until:
            kept = self._begin(restaurant, now, keep=True)
        given = kept if kept.is_there else kept.before
        if given is None or now >= given.given_until:
            return None
        self._hits.inc()
        return given.body

    def outdate(self, restaurant: str) -> None:
        """Something about the restaurant has changed."""
        if kept := self._kept.get(restaurant):
            for each in filter(None, (kept, kept.before)):
                each.outdate()

    def outdate_all(self) -> None:
        """Keep nothing of what there is."""
        kept, self._kept = self._kept, {}
        for rendering in kept.values():
            rendering.outdate()

    def close(self) -> None:
        """Tell those who wait for the next change that they need not."""
        self.is_closed = True
        self.outdate_all()

    def _there(self, restaurant: str, since: float) -> Rendering:
        is_told, now = self._is_told(), asyncio.get_running_loop().time()
        kept = self._kept.get(restaurant)
        if kept and kept.begun >= since and now < kept.good_until:
            self._hits.inc()
            return kept
        self._misses.inc()
        return self._begin(restaurant, now, keep=is_told)

    def _begin(self, restaurant: str, now: float, *, keep: bool) -> Rendering:
        before = self._kept.pop(restaurant, None)
        if before and before.is_there:
            before.before = None
        elif before:
            before = before.before
        rendering = Rendering(now, asyncio.create_task(self._render(restaurant)), before)
        if keep:
            self._kept[restaurant] = rendering
            rendering.task.add_done_callback(lambda _: self._forget_failed(restaurant, rendering))
            if len(self._kept) > MOST:
                del self._kept[next(iter(self._kept))]
        else:
            rendering.outdate()
        return rendering

    def _forget_failed(self, restaurant: str, rendering: Rendering) -> None:
        if not rendering.is_there and self._kept.get(restaurant) is rendering:
            del self._kept[restaurant]


async def as_kept(body: Body, question: RawRequest) -> Response:
    """The answer that is kept, as this question gets it."""
    return tagged(body, question.headers.get("if-none-match"))
