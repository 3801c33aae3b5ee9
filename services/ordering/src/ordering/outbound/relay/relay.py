"""The relay: committed events from the outbox to their streams, in order, many in flight."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
from nats.aio.client import Client
from service_kit.runtime.components import Ready
from service_kit.runtime.settings import TOKEN_LIFE_MAX_S
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.outbox.outbox import CHANNEL
from ordering.outbound.relay.partitions import Partitions
from ordering.outbound.relay.session import Session

POLL_INTERVAL_S = 1.0
"""Seconds after which the outbox is read even if no commit was notified."""


# decision/0002: state and event are committed in one transaction
class Relay:
    """Publishes the outbox. Any number of replicas may run; they share the partitions.

    An event counts as published once its stream has acknowledged it, so it may be published again,
    never lost; the stream drops the second copy by its `Nats-Msg-Id`. Whenever the broker was away,
    or a partition is new, what was acknowledged is compared with what the stream has.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        client: Callable[[], Awaitable[Client]],
        first_events: FirstEvents,
        *,
        token_life_max_s: float = TOKEN_LIFE_MAX_S,
    ) -> None:
        """`client` waits for the connection; this process's transactions put `first_events`.

        A withdrawal of longer ago than a token lives is not looked for on its stream.
        """
        self._engine = engine
        self._client = client
        self._first_events = first_events
        self._token_life_max_s = token_life_max_s
        self._notified = True

    async def run(self, ready: Ready) -> None:
        """Relay until cancelled; raises if PostgreSQL or the broker fails: run it again."""
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
        session = Session(connection, nats, self._wake, token_life_max_s=self._token_life_max_s)
        try:
            while True:
                async with session.statement:
                    await partitions.balance()
                await session.look(partitions.held)
                self._first_events.open(partitions.held)
                await self._publish(session, sorted(partitions.held), ready)
        finally:
            await session.close()

    async def _publish(self, session: Session, partitions: Sequence[int], ready: Ready) -> None:
        """Publish what comes, until it is time to look again."""
        poll_at = time.monotonic() + POLL_INTERVAL_S
        self._notified = True
        while time.monotonic() < poll_at:
            self._first_events.wakeup.clear()
            await session.publish_first(self._first_events.take())
            if self._notified:
                self._notified = False
                await session.drain(partitions, until=poll_at)
            ready(failing=session.failing)
            await self._wait_for_wakeup(until=poll_at)

    def _wake(self) -> None:
        self._notified = True
        self._first_events.wakeup.set()

    async def _wait_for_wakeup(self, until: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(until - time.monotonic()):
                await self._first_events.wakeup.wait()

    async def _listen(self, connection: AsyncConnection) -> None:
        """Be woken by every commit, of this process or another."""
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        assert isinstance(driver, asyncpg.Connection)  # noqa: S101 - the engine's URL says so
        await driver.add_listener(CHANNEL, lambda *_: self._wake())
