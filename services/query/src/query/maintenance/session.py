"""The session of an operator's command: its connections to the streams and the store."""

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

from query.maintenance.switchover import Switchover
from query.projection.projector import SERVICE
from query.storage.client import Database, connect
from query.storage.generations import Generations

REBUILDER = f"{SERVICE}-rebuild"
AUDITOR = f"{SERVICE}-audit"
"""Names of the consumers that read the streams beside the projectors': NATS grants them by name."""
CONNECT_TIMEOUT_S = 10.0
"""To connect to NATS."""


@dataclass(frozen=True, slots=True)
class OperatorSession:
    """The connections of an operator's command to a running system."""

    nats: Client
    database: Database
    generations: Generations
    """As of when the session began."""
    switchover: Switchover

    @property
    def js(self) -> JetStreamContext:
        """The streams."""
        return jetstream(self.nats)


@contextlib.asynccontextmanager
async def open_session(
    nats_servers: Sequence[str], mongodb_url: str
) -> AsyncIterator[OperatorSession]:
    """Connect. Raises StoreUnavailable if MongoDB is away, TimeoutError if NATS is."""
    client, database = connect(mongodb_url)
    async with client:
        generations = Generations(database, live=None)
        await generations.refresh()
        holder = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
        async with contextlib.AsyncExitStack() as connections:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                nats = await connections.enter_async_context(connected(nats_servers, SERVICE))
            yield OperatorSession(nats, database, generations, Switchover(database, holder))
