"""The relay: committed events from the outbox to their streams, in order, many in flight."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
import structlog
from comanda_contracts import Message
from comanda_contracts.streams import MENU, ORDERS, RESTAURANTS
from nats.aio.client import Client
from nats.js.api import PubAck
from prometheus_client import Counter
from service_kit.components import Ready
from service_kit.jetstream import connected, jetstream, publish_all, set_up_stream
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.outbound.outbox import (
    CHANNEL,
    FORGET,
    mark_published,
    publish_again_after,
    waiting,
    waves,
)
from ordering.outbound.partitions import Partitions

log = structlog.get_logger()

MOST = 128
"""Events of one partition that are published together."""
POLL = 1.0
"""Seconds after which the outbox is looked at even if nobody said that something is new."""

RELAYED = Counter("comanda_relayed_events_total", "Events acknowledged by their stream")

STREAMS = (ORDERS, MENU, RESTAURANTS)


_Published = tuple[dict[int, PubAck], Exception | None]
"""Where events are stored, by their ids, and what went wrong with others, if anything."""


class NotAcknowledged(Exception):
    """Some events could not be published now; they stay in the outbox."""


class Relay:
    """Publishes the outbox. Any number of replicas may run; they share the partitions.

    An event counts as published once its stream has acknowledged it, so it may be published again,
    never lost; the stream drops the second copy by its `Nats-Msg-Id`. Whenever the broker was away,
    what it acknowledged is compared with what it has.
    """

    def __init__(self, engine: AsyncEngine, nats_servers: Sequence[str], replicas: int) -> None:
        self._engine = engine
        self._nats_servers = nats_servers
        self._replicas = replicas
        self._news = asyncio.Event()

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
                await connection.invalidate()  # ends the session, and with it its locks

    async def _relay(self, connection: AsyncConnection, nats: Client, ready: Ready) -> None:
        partitions = Partitions(connection)
        await partitions.appear()
        line = _Line(connection, nats)
        await _find_what_was_lost(connection, nats)
        while True:
            await partitions.balance()
            await connection.execute(FORGET)
            look_around_at = time.monotonic() + POLL
            while time.monotonic() < look_around_at:
                self._news.clear()
                await line.drain(sorted(partitions.held), until=look_around_at)
                ready()
                await self._wait_for_news(until=look_around_at)

    async def _wait_for_news(self, until: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                await self._news.wait()

    async def _listen(self, connection: AsyncConnection) -> None:
        """Be woken by every commit, of this process or another."""
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        assert isinstance(driver, asyncpg.Connection)  # noqa: S101 - the engine's URL says so
        await driver.add_listener(CHANNEL, lambda *_: self._news.set())


class _Line:
    """From the outbox to the streams, for as long as neither connection was lost."""

    def __init__(self, connection: AsyncConnection, nats: Client) -> None:
        self._connection = connection
        self._nats = nats
        self._reconnects = nats.stats["reconnects"]

    async def drain(self, held: Sequence[int], until: float) -> None:
        """Publish what waits in these partitions; nothing is in flight any more when this ends.

        Of a backlog one half of the partitions is published while the other is settled and read:
        an order's events are all in one partition, so nothing overtakes any of them. Begins nothing
        new after `until`. Raises NotAcknowledged.
        """
        batch = await waiting(self._connection, held, MOST)
        await self._settle(await _publish_in_order(self._nats, batch))
        if len(batch) < MOST:
            return
        published: _Published = ({}, None)
        batch, turns = await waiting(self._connection, held[::2], MOST), (held[1::2], held[::2])
        while batch or published[0]:
            publishing = asyncio.create_task(_publish_in_order(self._nats, batch))
            try:
                await self._settle(published)
                is_time = time.monotonic() < until
                batch = await waiting(self._connection, turns[0], MOST) if is_time else ()
                published, turns = await publishing, turns[::-1]
            finally:
                publishing.cancel()

    async def _settle(self, published: _Published) -> None:
        """Mark what was stored. Raises NotAcknowledged if not all of it was, or surely is."""
        stored, failure = published
        if self._nats.stats["reconnects"] != self._reconnects:
            raise NotAcknowledged("the broker was away: what it has stored is to be looked at")
        if stored:
            await mark_published(self._connection, stored)
            RELAYED.inc(len(stored))
        if failure is not None:
            raise NotAcknowledged(f"events wait: {failure!r}")


async def _find_what_was_lost(connection: AsyncConnection, nats: Client) -> None:
    """Have what a broker acknowledged and lost, say with its power, published again."""
    js = jetstream(nats)
    for stream in STREAMS:
        last = (await js.stream_info(stream.name)).state.last_seq
        if lost := await publish_again_after(connection, stream.name, last):
            log.warning("the stream has lost events", stream=stream.name, last=last, lost=lost)


async def _publish_in_order(nats: Client, rows: Sequence[Any]) -> _Published:
    """Publish the rows; returns the acknowledgements by id, and what went wrong, if anything.

    An event whose forerunner failed is not sent, so that nothing overtakes it.
    """
    stored: dict[int, PubAck] = {}
    failure: Exception | None = None
    held_back: set[str] = set()
    for wave in waves([row.aggregate for row in rows]):
        next_ones = [rows[position] for position in wave]
        sendable = [row for row in next_ones if row.aggregate not in held_back]
        outcomes = await publish_all(
            nats, [Message(row.subject, row.headers, row.body) for row in sendable]
        )
        for row, outcome in zip(sendable, outcomes, strict=True):
            if isinstance(outcome, Exception):
                failure = outcome
                held_back.add(row.aggregate)
            else:
                stored[row.id] = outcome
    return stored, failure
