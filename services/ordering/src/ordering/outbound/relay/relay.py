"""The relay: committed events from the outbox to their streams, in order, many in flight."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import structlog
from comanda_contracts.streams import MENU, ORDERS, RESTAURANTS
from nats.aio.client import Client
from prometheus_client import Counter
from service_kit.nats.jetstream import jetstream
from service_kit.nats.leader import asking_leader_of
from service_kit.runtime.components import Ready
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.outbox.outbox import (
    CHANNEL,
    DELETE_PUBLISHED,
    PARTITIONS,
    CommittedEvent,
    mark_published,
    select_unpublished,
    unmark_lost,
)
from ordering.outbound.relay.partitions import Partitions
from ordering.outbound.relay.publisher import MAX_BATCH_EVENTS, Published, publish_in_order

log = structlog.get_logger()

SMALL_READ_EVENTS = 32
"""Unpublished events of one partition that are read at first; more than these are a backlog."""
BACKLOG_LANES = 4
"""Lanes that publish a backlog side by side, each with its share of the partitions."""
BACKLOG_READ_EVENTS = MAX_BATCH_EVENTS // -(-PARTITIONS // BACKLOG_LANES)
"""Events of one partition that a lane reads and publishes at a time."""
POLL_INTERVAL_S = 1.0
"""Seconds after which the outbox is read even if no commit was notified."""

RELAYED = Counter("comanda_relayed_events_total", "Events acknowledged by their stream")

STREAMS = (ORDERS, MENU, RESTAURANTS)


class NotAcknowledged(Exception):
    """Some events could not be published now; they stay in the outbox."""


# decision/0002: state and event are committed in one transaction
class Relay:
    """Publishes the outbox. Any number of replicas may run; they share the partitions.

    An event counts as published once its stream has acknowledged it, so it may be published again,
    never lost; the stream drops the second copy by its `Nats-Msg-Id`. Whenever the broker was away,
    what it acknowledged is compared with what it has.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        client: Callable[[], Awaitable[Client]],
        first_events: FirstEvents,
    ) -> None:
        """`client` waits for the connection; this process's transactions put `first_events`."""
        self._engine = engine
        self._client = client
        self._first_events = first_events
        self._notified = True

    async def run(self, ready: Ready) -> None:
        """Relay until cancelled; raises if PostgreSQL or the streams fail: run it again."""
        nats = await self._client()
        async with self._engine.connect() as pooled:
            connection = await pooled.execution_options(isolation_level="AUTOCOMMIT")
            try:
                await self._listen(connection)
                await self._relay(connection, nats, ready)
            finally:
                self._first_events.close()
                await connection.invalidate()  # ends the session, and with it its locks

    async def _relay(self, connection: AsyncConnection, nats: Client, ready: Ready) -> None:
        partitions = Partitions(connection)
        await partitions.appear()
        session = _Session(connection, nats)
        await _republish_lost(connection, nats)
        while True:
            await partitions.balance()
            self._first_events.open(partitions.held)
            await connection.execute(DELETE_PUBLISHED)
            poll_at = time.monotonic() + POLL_INTERVAL_S
            self._notified = True
            while time.monotonic() < poll_at:
                self._first_events.wakeup.clear()
                await session.publish_first(self._first_events.take())
                if self._notified:
                    self._notified = False
                    await session.drain(sorted(partitions.held), until=poll_at)
                ready()
                await self._wait_for_wakeup(until=poll_at)

    async def _wait_for_wakeup(self, until: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                await self._first_events.wakeup.wait()

    async def _listen(self, connection: AsyncConnection) -> None:
        """Be woken by every commit, of this process or another."""
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        assert isinstance(driver, asyncpg.Connection)  # noqa: S101 - the engine's URL says so

        def wake(*_: object) -> None:
            self._notified = True
            self._first_events.wakeup.set()

        await driver.add_listener(CHANNEL, wake)


class _Session:
    """Publishing from the outbox to the streams, for as long as neither connection was lost."""

    def __init__(self, connection: AsyncConnection, nats: Client) -> None:
        self._connection = connection
        self._nats = nats
        self._statement = asyncio.Lock()  # a connection runs one at a time
        self._reconnects = nats.stats["reconnects"]
        self._drained: set[int] = set()

    async def publish_first(self, events: Sequence[CommittedEvent]) -> None:
        """Publish first events, which overtake none, except those that `drain` has published.

        Raises NotAcknowledged.
        """
        others = [event for event in events if event.id not in self._drained]
        if others:
            await self._mark(await publish_in_order(self._nats, others))
        self._drained.clear()

    async def drain(self, partitions: Sequence[int], until: float) -> None:
        """Publish all that is unpublished in these partitions; nothing is in flight at its end.

        A backlog goes by several lanes, so that some of it is read and marked while other is
        published: an order's events are all in one partition, so nothing overtakes any of them.
        Begins nothing new after `until`. Raises NotAcknowledged.
        """
        events = await select_unpublished(self._connection, partitions, SMALL_READ_EVENTS)
        await self._mark(await publish_in_order(self._nats, events))
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
                batch = await select_unpublished(self._connection, partitions, BACKLOG_READ_EVENTS)
            if not batch:
                return
            published = await publish_in_order(self._nats, batch)
            async with self._statement:
                await self._mark(published)

    async def _mark(self, published: Published) -> None:
        """Mark the stored events. Raises NotAcknowledged if one was not stored, or may be lost."""
        stored, failure = published
        if self._nats.stats["reconnects"] != self._reconnects:
            raise NotAcknowledged("the broker was away: what it has stored is to be compared")
        if stored:
            await mark_published(self._connection, stored)
            RELAYED.inc(len(stored))
            self._drained.update(stored)
        if failure is not None:
            raise NotAcknowledged(f"events wait: {type(failure).__name__}: {failure}")


async def _republish_lost(connection: AsyncConnection, nats: Client) -> None:
    """Have the events published again that a broker acknowledged and lost, with its power, say."""
    js = jetstream(nats)
    for stream in STREAMS:
        with asking_leader_of(stream.name):
            last = (await js.stream_info(stream.name)).state.last_seq
        if lost := await unmark_lost(connection, stream.name, last):
            log.warning("the stream has lost events", stream=stream.name, last=last, lost=lost)
