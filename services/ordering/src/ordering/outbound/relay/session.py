"""Publishing from the outbox to the streams, for as long as neither connection was lost."""

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import Any

import nats.errors
import structlog
from nats.aio.client import Client
from prometheus_client import Counter
from service_kit.nats.leader import LeaderSilent
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.outbound.outbox.outbox import (
    PARTITIONS,
    CommittedEvent,
    mark_published,
    select_unpublished,
)
from ordering.outbound.relay.publisher import (
    MAX_BATCH_EVENTS,
    Published,
    kind_of,
    publish_in_order,
)
from ordering.outbound.relay.relayed_stream import STREAMS, RelayedStream

log = structlog.get_logger()

SMALL_READ_EVENTS = 32
"""Unpublished events of one partition that are read at first; more than these are a backlog."""
BACKLOG_LANES = 4
"""Lanes that publish a backlog side by side, each with its share of the partitions."""
BACKLOG_READ_EVENTS = MAX_BATCH_EVENTS // -(-PARTITIONS // BACKLOG_LANES)
"""Events of one partition that a lane reads and publishes at a time."""

RELAYED = Counter("comanda_relayed_events_total", "Events acknowledged by their stream")


class BrokerWasAway(Exception):
    """The connection to the broker was lost: what it has stored is to be compared first."""


class Session:
    """A relay's work on one connection to PostgreSQL and one to NATS.

    A stream that fails is left alone for a while; the others go on.
    """

    def __init__(self, connection: AsyncConnection, client: Client) -> None:
        self._connection = connection
        self._client = client
        self._statement = asyncio.Lock()  # a connection runs one at a time
        self._reconnects = client.stats["reconnects"]
        self._drained: set[int] = set()
        self._partitions: Collection[int] = ()
        self._streams = {
            stream.subject.partition(".")[0]: RelayedStream(stream.name) for stream in STREAMS
        }

    @property
    def failing(self) -> str | None:
        """Why some events can't be published now; None if all can."""
        failures = (stream.failure for stream in self._streams.values())
        return next(filter(None, failures), None)

    async def look(self, partitions: Collection[int]) -> None:
        """See that the streams have what they acknowledged; then forget what is old.

        Call it before anything of partitions that are new is published. Raises BrokerWasAway.
        """
        self._partitions = set(partitions)
        for stream in self._streams.values():
            self._require_connection()
            if not stream.is_paused:
                await self._compare(stream)

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
        events = await self._select(partitions, SMALL_READ_EVENTS)
        self._resume_streams_without(events)
        await self._settle(events, await self._publish(events))
        if len(events) < SMALL_READ_EVENTS:
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
            async with self._statement:
                batch = await self._select(partitions, BACKLOG_READ_EVENTS)
            if not batch:
                return
            published = await self._publish(batch)
            async with self._statement:
                await self._settle(batch, published)

    def _resume_streams_without(self, events: Sequence[Any]) -> None:
        """A stream for which no event waits fails no more."""
        waiting = {kind_of(event) for event in events} | self._paused_kinds()
        for kind, stream in self._streams.items():
            if kind not in waiting:
                stream.resume()

    async def _select(self, partitions: Sequence[int], limit: int) -> Sequence[Any]:
        paused = self._paused_kinds()
        return await select_unpublished(self._connection, partitions, limit, other_than=paused)

    async def _publish(self, events: Sequence[Any]) -> Published:
        self._require_connection()
        return await publish_in_order(self._client, events)

    async def _settle(self, events: Sequence[Any], published: Published) -> None:
        """Mark the stored events, and pause the streams that did not take one."""
        self._require_connection()
        stored = published.stored
        if stored:
            await mark_published(self._connection, stored)
            RELAYED.inc(len(stored))
            self._drained.update(stored)
        for kind, stream in self._streams.items():
            of_kind = [event for event in events if kind_of(event) == kind]
            acknowledged = [event for event in of_kind if event.id in stored]
            stream.note((each.headers["Nats-Msg-Id"], stored[each.id]) for each in acknowledged)
            failed = [event for event in of_kind if event.id in published.failures]
            if failed:
                stream.pause(f"events wait: {_reason(published.failures[failed[0].id])}")
            elif acknowledged:
                stream.resume()

    async def _compare(self, stream: RelayedStream) -> None:
        """Pause the stream if it does not answer: nothing of it is published or forgotten then."""
        was_unknown = not stream.compared.issuperset(self._partitions)
        try:
            await stream.compare(self._connection, self._client, self._partitions)
        except (LeaderSilent, nats.errors.Error) as error:
            self._require_connection()
            stream.compared.clear()
            stream.pause(_reason(error))
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


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
