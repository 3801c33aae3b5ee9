"""Publishing from the outbox to the streams, for as long as neither connection was lost."""

import asyncio
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import nats.errors
import structlog
from comanda_contracts import subjects
from nats.aio.client import Client
from nats.js.errors import NoStreamResponseError
from prometheus_client import Counter
from service_kit.nats.leader import LeaderSilent
from service_kit.runtime.components import WaitingFor, reason_of
from service_kit.runtime.settings import TOKEN_LIFE_MAX_S
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.outbound.outbox.outbox import (
    PARTITIONS,
    STREAMS,
    CommittedEvent,
    mark_published,
    select_unpublished,
)
from ordering.outbound.outbox.parked_events import park, park_behind
from ordering.outbound.relay.publisher import (
    MAX_BATCH_EVENTS,
    Published,
    by_kind,
    is_permanent,
    is_refusal,
    kind_of,
    kind_of_aggregate,
    publish_in_order,
)
from ordering.outbound.relay.relayed_stream import (
    PAUSE_MAX_S,
    PAUSE_MIN_S,
    RelayedStream,
)

log = structlog.get_logger()

SMALL_READ_EVENTS, SMALL_READ_BYTES = 32, 256 * 1024
"""Unpublished events of one partition that are read at first; more than these are a backlog.

So many of each kind, and no more once their bodies have so much.
"""
BACKLOG_LANES = 4
"""Lanes that publish a backlog side by side, each with its share of the partitions."""
BACKLOG_READ_EVENTS = MAX_BATCH_EVENTS // -(-PARTITIONS // BACKLOG_LANES)
"""Events of one partition that a lane reads and publishes at a time."""
BACKLOG_READ_BYTES = 1024 * 1024
"""What their bodies have, and no more after: large events are read fewer at a time."""
COMPARED_WITHIN_S = 0.1
"""Seconds in which a look at a stream mostly comes to its end; beyond that nobody waits for it."""

RELAYED = Counter("comanda_relayed_events_total", "Events acknowledged by their stream")


HELD_FOR_S = 60.0
"""Seconds after which an event is parked that its stream refuses while it takes others."""


class BrokerWasAway(Exception):
    """The connection to the broker was lost: what it has stored is to be compared first."""


class _Read(NamedTuple):
    """Events that were read; those behind a parked one are no longer among `events`."""

    found: int
    body_bytes: int
    events: Sequence[Any]


@dataclass(slots=True)
class _Held:
    """An aggregate of which an event fails, while its stream takes others."""

    pause_s: float
    resume_at: float = 0.0
    park_at: float = math.inf


# decision/0041: an event that can't be published is parked with its order
class Session:
    """A relay's work on one connection to PostgreSQL and one to NATS.

    A stream that fails, or does not answer, is left alone for a while; the others go on. Of an
    aggregate of which an event fails the later ones wait, and those of others go on.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        client: Client,
        wake: Callable[[], None],
        *,
        token_life_max_s: float = TOKEN_LIFE_MAX_S,
    ) -> None:
        """`wake` is called when there may be more to publish: have `drain` called soon."""
        self._connection = connection
        self._client = client
        self._wake = wake
        self.statement = asyncio.Lock()
        """Held for each statement, since a connection runs one at a time."""
        self._reconnects = client.stats["reconnects"]
        self._drained: set[int] = set()
        self._held: dict[str, _Held] = {}
        self._partitions: Collection[int] = ()
        self._streams = {
            subjects.root(stream.subject): RelayedStream(
                stream.name,
                newest_only=stream.newest_only,
                statement=self.statement,
                token_life_max_s=token_life_max_s,
            )
            for stream in STREAMS
        }
        self._comparisons: dict[str, asyncio.Task[None]] = {}

    @property
    def failing(self) -> str | None:
        """Why some events can't be published now; None if all can."""
        failures = (stream.failure for stream in self._streams.values())
        return next(filter(None, failures), None)

    async def look(self, partitions: Collection[int]) -> None:
        """See that the streams have what they acknowledged; then forget what is old.

        Call it before anything of partitions that are new is published. One that does not answer at
        once is looked at beside what is published to the others. Raises BrokerWasAway.
        """
        self._require_connection()
        if self._partitions != set(partitions):
            await self._end_comparisons(self._comparisons)
            self._partitions = set(partitions)
        await self._end_comparisons(self._ended_comparisons())
        begun = {
            kind: asyncio.create_task(self._compare(kind, stream))
            for kind, stream in self._streams.items()
            if kind not in self._comparisons and not stream.is_paused
        }
        self._comparisons |= begun
        if begun:
            _, late = await asyncio.wait(begun.values(), timeout=COMPARED_WITHIN_S)
            for each in late:
                each.add_done_callback(lambda _: self._wake())
        await self._end_comparisons(self._ended_comparisons())

    async def close(self) -> None:
        """Look at no stream any more."""
        for each in self._comparisons.values():
            each.cancel()
        await asyncio.gather(*self._comparisons.values(), return_exceptions=True)

    def _ended_comparisons(self) -> list[str]:
        return [kind for kind, comparison in self._comparisons.items() if comparison.done()]

    async def _end_comparisons(self, kinds: Collection[str]) -> None:
        for kind in list(kinds):
            await self._comparisons.pop(kind)

    async def publish_first(self, events: Sequence[CommittedEvent]) -> None:
        """Publish first events, which overtake none, except those that `drain` has published.

        Raises BrokerWasAway.
        """
        paused = self._paused_kinds()
        others = [
            event
            for event in events
            if event.id not in self._drained and kind_of(event) not in paused
        ]
        if others:
            await self._settle(others, await self._publish(others))
        self._drained.clear()

    async def drain(self, partitions: Sequence[int], until: float) -> None:
        """Publish all that is unpublished in these partitions; nothing is in flight at its end.

        A backlog goes by several lanes, so that some of it is read and marked while other is
        published: an order's events are all in one partition, so nothing overtakes any of them.
        Begins nothing new after `until`. Raises BrokerWasAway.
        """
        read = await self._select(partitions, SMALL_READ_EVENTS, SMALL_READ_BYTES)
        self._resume_streams_without(read.events)
        await self._settle(read.events, await self._publish(read.events))
        if read.found < SMALL_READ_EVENTS and read.body_bytes < SMALL_READ_BYTES:
            return
        lanes = (
            self._drain_lane(partitions[first::BACKLOG_LANES], until)
            for first in range(BACKLOG_LANES)
        )
        for failure in await asyncio.gather(*lanes, return_exceptions=True):
            if failure is not None:
                raise failure

    async def _drain_lane(self, partitions: Sequence[int], until: float) -> None:
        while time.monotonic() < until:
            read = await self._select(partitions, BACKLOG_READ_EVENTS, BACKLOG_READ_BYTES)
            if not read.found:
                return
            await self._settle(read.events, await self._publish(read.events))

    def _resume_streams_without(self, events: Sequence[Any]) -> None:
        """A stream for which no event waits fails no more."""
        waiting = {kind_of(event) for event in events} | self._paused_kinds()
        for kind, stream in self._streams.items():
            if kind not in waiting:
                stream.resume()

    async def _select(self, partitions: Sequence[int], limit: int, bytes_max: int) -> _Read:
        """Read events to publish.

        Those behind a parked one are parked, too: more may come after them.
        """
        now = time.monotonic()
        held = [name for name, each in self._held.items() if now < each.resume_at]
        async with self.statement:
            events = await select_unpublished(
                self._connection,
                partitions,
                self._streams.keys() - self._paused_kinds(),
                limit=limit,
                bytes_max=bytes_max,
                without_aggregates=held,
            )
            if behind := [event.id for event in events if event.is_behind_parked]:
                await park_behind(self._connection, behind)
        body_bytes = sum(len(event.body) for event in events)
        sendable = [event for event in events if not event.is_behind_parked]
        return _Read(len(events), body_bytes, sendable)

    async def _publish(self, events: Sequence[Any]) -> Published:
        self._require_connection()
        return await publish_in_order(self._client, events)

    async def _settle(self, events: Sequence[Any], published: Published) -> None:
        """Mark the stored events, and pause the streams that did not take one."""
        self._require_connection()
        async with self.statement:
            await self._mark(events, published)

    async def _mark(self, events: Sequence[Any], published: Published) -> None:
        stored = published.stored
        if stored:
            await mark_published(self._connection, stored)
            RELAYED.inc(len(stored))
            self._drained.update(stored)
        for kind, of_kind in by_kind(events).items():
            stream = self._streams[kind]
            acknowledged = [event for event in of_kind if event.id in stored]
            stream.note((each.headers["Nats-Msg-Id"], stored[each.id]) for each in acknowledged)
            if self._held:
                for event in acknowledged:
                    self._held.pop(event.aggregate, None)
            failed = [event for event in of_kind if event.id in published.failures]
            passing = await self._park_permanent(failed, published.failures)
            if acknowledged:
                stream.resume()
                for event, error in passing:
                    await self._hold(event, error)
            elif passing:
                self._pause(kind, _why_events_wait(stream, passing[0][1]))

    def _pause(self, kind: str, failure: str) -> None:
        """Leave the stream alone for a while; how long its events were held says nothing then."""
        self._streams[kind].pause(failure)
        for aggregate in [each for each in self._held if kind_of_aggregate(each) == kind]:
            del self._held[aggregate]

    async def _park_permanent(
        self, events: Sequence[Any], failures: Mapping[int, Exception]
    ) -> list[tuple[Any, Exception]]:
        """Park the events that will never be published; returns those that failed otherwise."""
        passing = []
        for event in events:
            error = failures[event.id]
            if is_permanent(event, error):
                await self._park(event, error)
            else:
                passing.append((event, error))
        return passing

    async def _hold(self, event: Any, error: Exception) -> None:
        """Have the event tried again after a pause; park it if it is refused for long."""
        now = time.monotonic()
        held = self._held.setdefault(event.aggregate, _Held(PAUSE_MIN_S))
        held.park_at = min(held.park_at, now + HELD_FOR_S) if is_refusal(error) else math.inf
        if now >= held.park_at:
            await self._park(event, error)
            return
        held.resume_at = now + held.pause_s
        held.pause_s = min(2 * held.pause_s, PAUSE_MAX_S)

    async def _park(self, event: Any, error: Exception) -> None:
        self._held.pop(event.aggregate, None)
        await park(self._connection, event.id, reason_of(error))
        log.error("event parked", number=event.id, subject=event.subject, reason=reason_of(error))

    async def _compare(self, kind: str, stream: RelayedStream) -> None:
        """Pause the stream if it does not answer: nothing of it is published or forgotten then."""
        was_unknown = not stream.compared.issuperset(self._partitions)
        try:
            await stream.compare(self._connection, self._client, self._partitions)
        except (LeaderSilent, nats.errors.Error) as error:
            self._require_connection()
            stream.compared.clear()
            self._pause(kind, reason_of(error))
            return
        self._require_connection()
        await stream.forget(self._connection)
        if was_unknown:
            stream.resume()

    def _paused_kinds(self) -> set[str]:
        return {
            kind
            for kind, stream in self._streams.items()
            if not stream.takes_events_of(self._partitions)
        }

    def _require_connection(self) -> None:
        """Raise BrokerWasAway if the connection is not the one that it was at the beginning."""
        if not self._client.is_connected or self._client.stats["reconnects"] != self._reconnects:
            raise BrokerWasAway("the broker was away: what it has stored is to be compared")


def _why_events_wait(stream: RelayedStream, error: Exception) -> str:
    """Nobody answers for a stream that is not there."""
    if isinstance(error, NoStreamResponseError):
        return str(WaitingFor(f"stream {stream.name}"))
    return f"events wait: {reason_of(error)}"
