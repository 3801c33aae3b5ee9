"""The session of an operator's command: its connections to the streams and the store."""

import asyncio
import contextlib
import os
import socket
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from nats.aio.client import Client
from nats.js import JetStreamContext
from service_kit.nats.jetstream import connected, jetstream

from query.maintenance.switchover import Switchover
from query.projection.projector import SERVICE
from query.storage.client import Database, connect
from query.storage.generations import Generations
from query.views.ports import StoreUnavailable

REBUILDER = f"{SERVICE}-rebuild"
AUDITOR = f"{SERVICE}-audit"
"""Names of the consumers that read the streams beside the projectors': NATS grants them by name."""
CONNECT_TIMEOUT_S = 10.0
"""For which each server is waited for."""
LOOK_AGAIN_AFTER_S = 0.5
"""Seconds between two attempts to reach MongoDB, each of which has its own timeout."""


@dataclass(frozen=True, slots=True)
class OperatorSession:
    """The connections of an operator's command to a running system."""

    nats: Client
    database: Database
    generations: Generations
    """As of when the session began."""
    switchover: Switchover
    makes_consumers: bool = True
    """Whether NATS lets its user make any; else the streams are read without."""

    @property
    def js(self) -> JetStreamContext:
        """The streams."""
        return jetstream(self.nats)


@contextlib.asynccontextmanager
async def open_session(
    nats_servers: Sequence[str],
    mongodb_url: str,
    mongodb_tls: ssl.SSLContext | None = None,
    *,
    makes_consumers: bool = True,
) -> AsyncIterator[OperatorSession]:
    """Connect, once the servers are there. Raises StoreUnavailable or TimeoutError."""
    client, database = connect(mongodb_url, mongodb_tls)
    async with client:
        generations = Generations(database, live=None)
        await _until_known(generations)
        holder = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
        async with contextlib.AsyncExitStack() as connections:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                nats = await connections.enter_async_context(connected(nats_servers, SERVICE))
            switchover = Switchover(database, holder)
            yield OperatorSession(nats, database, generations, switchover, makes_consumers)


async def _until_known(generations: Generations) -> None:
    """Read which generation is live. Raises StoreUnavailable if MongoDB is away for too long."""
    give_up_at = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        try:
            await generations.refresh()
        except StoreUnavailable:
            if time.monotonic() > give_up_at:
                raise
        else:
            return
        await asyncio.sleep(LOOK_AGAIN_AFTER_S)
