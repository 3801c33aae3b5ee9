"""What every operation works on: the streams and the store of a running system."""

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from nats.aio.client import Client
from nats.js import JetStreamContext
from service_kit.nats.jetstream import connected, jetstream

from query.maintenance.switchover import Succession
from query.projection.projector import SERVICE
from query.storage.client import Database, connect
from query.storage.generations import Generations

REBUILDER = f"{SERVICE}-rebuild"
AUDITOR = f"{SERVICE}-audit"
"""Names of the consumers that read the streams beside the projectors': NATS grants them by name."""
CONNECT_WITHIN = 10.0
"""Seconds to connect to NATS."""


@dataclass(frozen=True, slots=True)
class Site:
    """A running system, as an operator's process is connected to it."""

    nats: Client
    database: Database
    generations: Generations
    """As of when the process connected."""
    succession: Succession

    @property
    def js(self) -> JetStreamContext:
        """The streams."""
        return jetstream(self.nats)


@contextlib.asynccontextmanager
async def on_site(nats_servers: Sequence[str], mongodb_url: str) -> AsyncIterator[Site]:
    """Connect. Raises StoreUnavailable if MongoDB is away, TimeoutError if NATS is."""
    client, database = connect(mongodb_url)
    async with client:
        generations = Generations(database, live=None)
        await generations.refresh()
        holder = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
        async with contextlib.AsyncExitStack() as connections:
            async with asyncio.timeout(CONNECT_WITHIN):
                nats = await connections.enter_async_context(connected(nats_servers, SERVICE))
            yield Site(nats, database, generations, Succession(database, holder))
