"""A server's client, with the streams that a test needs."""

import contextlib
from collections.abc import AsyncIterator

from comanda_contracts.streams import Stream
from comanda_local.servers import Nats
from nats.aio.client import Client
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_stream


@contextlib.asynccontextmanager
async def client_with(*streams: Stream, server: Nats) -> AsyncIterator[Client]:
    """A client of the server, which has these streams then."""
    async with connected([server.url], "test") as client:
        for stream in streams:
            await set_up_stream(client.jetstream(), stream, replicas=1)
        yield client
