"""The relay: committed events from the outbox to their streams, in order, many in flight."""

import asyncio
import contextlib
import time
from collections.abc import Sequence

import asyncpg
import structlog
from comanda_contracts.streams import MENU, ORDERS, RESTAURANTS
from nats.aio.client import Client
from prometheus_client import Counter
from service_kit.nats.jetstream import connected, jetstream
from service_kit.nats.set_up import set_up_stream
from service_kit.runtime.components import Ready
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.outbound.outbox.first_events import HandOver
from ordering.outbound.outbox.outbox import (
    CHANNEL,
    FORGET,
    PARTITIONS,
    Waiting,
    mark_published,
    publish_again_after,
    waiting,
)
from ordering.outbound.relay.partitions import Partitions
from ordering.outbound.relay.publisher import BATCH, Published, publish_in_order

log = structlog.get_logger()

FEW = 32
"""Events of one partition that are no backlog yet."""
LANES = 4
"""Ways by which a backlog is published, each with its share of the partitions."""
MOST = BATCH // -(-PARTITIONS // LANES)
"""Events of one partition that are published together of a backlog."""
POLL = 1.0
"""Seconds after which the outbox is looked at even if nobody said that something is new."""

RELAYED = Counter("comanda_relayed_events_total", "Events acknowledged by their stream")

STREAMS = (ORDERS, MENU, RESTAURANTS)


class NotAcknowledged(Exception):
    """Some events could not be published now; they stay in the outbox."""


class Relay:
    """Publishes the outbox. Any number of replicas may run; they share the partitions.

    An event counts as published once its stream has acknowledged it, so it may be published again,
    never lost; the stream drops the second copy by its `Nats-Msg-Id`. Whenever the broker was away,
    what it acknowledged is compared with what it has.
    """

    def __init__(
        self, engine: AsyncEngine, nats_servers: Sequence[str], replicas: int, handed: HandOver
    ) -> None:
        """`handed` is where the transactions of this process give first events to."""
        self._engine = engine
        self._nats_servers = nats_servers
        self._replicas = replicas
        self._handed = handed
        self._told = True

    async def run(self, ready: Ready) -> None:
        """Relay until cancelled; raises if PostgreSQL or the streams fail: run it again."""
        async with (
            connected(self._nats_servers, "ordering-relay") as nats,
            self._engine.connect() as pooled,
        ):
            connection = await pooled.execution_options(isolation_level="AUTOCOMMIT")
            js = jetstream(nats)
            for stream in STREAMS:
                await set_up_stream(js, stream, replicas=self._replicas)
            try:
                await self._listen(connection)
                await self._relay(connection, nats, ready)
            finally:
                self._handed.close()
                await connection.invalidate()  # ends the session, and with it its locks

    async def _relay(self, connection: AsyncConnection, nats: Client, ready: Ready) -> None:
        partitions = Partitions(connection)
        await partitions.appear()
        line = _Line(connection, nats)
        await _find_what_was_lost(connection, nats)
        while True:
            await partitions.balance()
            self._handed.open(partitions.held)
            await connection.execute(FORGET)
            look_around_at = time.monotonic() + POLL
            self._told = True
            while time.monotonic() < look_around_at:
                self._handed.some.clear()
                await line.relay(self._handed.take())
                if self._told:
                    self._told = False
                    await line.drain(sorted(partitions.held), until=look_around_at)
                ready()
                await self._wait_for_news(until=look_around_at)

    async def _wait_for_news(self, until: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                await self._handed.some.wait()

    async def _listen(self, connection: AsyncConnection) -> None:
        """Be woken by every commit, of this process or another."""
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        assert isinstance(driver, asyncpg.Connection)  # noqa: S101 - the engine's URL says so

        def hear(*_: object) -> None:
            self._told = True
            self._handed.some.set()

        await driver.add_listener(CHANNEL, hear)


class _Line:
    """From the outbox to the streams, for as long as neither connection was lost."""

    def __init__(self, connection: AsyncConnection, nats: Client) -> None:
        self._connection = connection
        self._nats = nats
        self._asking = asyncio.Lock()  # a connection answers one question at a time
        self._reconnects = nats.stats["reconnects"]
        self._drained: set[int] = set()

    async def relay(self, events: Sequence[Waiting]) -> None:
        """Publish first events, which overtake none, but those that `drain` came upon.

        Raises NotAcknowledged.
        """
        others = [event for event in events if event.id not in self._drained]
        if others:
            await self._settle(await publish_in_order(self._nats, others))
        self._drained.clear()

    async def drain(self, held: Sequence[int], until: float) -> None:
        """Publish what waits in these partitions; nothing is in flight any more when this ends.

        A backlog goes by several lanes, so that some of it is read and marked while other is
        published: an order's events are all in one partition, so nothing overtakes any of them.
        Begins nothing new after `until`. Raises NotAcknowledged.
        """
        few = await waiting(self._connection, held, FEW)
        await self._settle(await publish_in_order(self._nats, few))
        if len(few) < FEW:
            return
        lanes = (self._drain_lane(held[first::LANES], until) for first in range(LANES))
        for failure in await asyncio.gather(*lanes, return_exceptions=True):
            if failure is not None:
                raise failure

    async def _drain_lane(self, partitions: Sequence[int], until: float) -> None:
        while time.monotonic() < until:
            async with self._asking:
                batch = await waiting(self._connection, partitions, MOST)
            if not batch:
                return
            published = await publish_in_order(self._nats, batch)
            async with self._asking:
                await self._settle(published)

    async def _settle(self, published: Published) -> None:
        """Mark what was stored. Raises NotAcknowledged if not all of it was, or surely is."""
        stored, failure = published
        if self._nats.stats["reconnects"] != self._reconnects:
            raise NotAcknowledged("the broker was away: what it has stored is to be looked at")
        if stored:
            await mark_published(self._connection, stored)
            RELAYED.inc(len(stored))
            self._drained.update(stored)
        if failure is not None:
            raise NotAcknowledged(f"events wait: {failure!r}")


async def _find_what_was_lost(connection: AsyncConnection, nats: Client) -> None:
    """Have what a broker acknowledged and lost, say with its power, published again."""
    js = jetstream(nats)
    for stream in STREAMS:
        last = (await js.stream_info(stream.name)).state.last_seq
        if lost := await publish_again_after(connection, stream.name, last):
            log.warning("the stream has lost events", stream=stream.name, last=last, lost=lost)
