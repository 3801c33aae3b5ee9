"""Serving's parts on a real NATS."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from comanda_contracts.streams import DEAD_LETTERS, TICKETS
from comanda_local.folders import temporary_folder
from comanda_local.ports import free_port
from comanda_local.servers import Nats
from comanda_local.services import Service
from nats.aio.client import Client
from nats.js import JetStreamContext
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_stream
from serving.application.tickets import Tickets
from serving.outbound.ticket_stream import TicketStream

from tests.serving.builders import a_restaurant
from tests.serving.fakes import InMemoryTickets
from tests.serving.running import Kitchen, NewService, set_up
from tests.support.small_nats import SmallNats
from tests.support.tokens import bearer


@pytest.fixture
def restaurant() -> str:
    """A restaurant of the test's own, since tests share a server."""
    return a_restaurant()


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    """A connection to the server that tests share, with serving's streams."""
    async with connected([nats_url], "test") as client:
        for stream in (TICKETS, DEAD_LETTERS):
            await set_up_stream(client.jetstream(), stream, replicas=1)
        yield client


@pytest.fixture
def js(client: Client) -> JetStreamContext:
    return client.jetstream()


@pytest.fixture(params=[pytest.param("jetstream", marks=pytest.mark.servers), "memory"])
def store(request: pytest.FixtureRequest) -> Tickets:
    """Each of the stores: what they promise is the same."""
    if request.param == "memory":
        return InMemoryTickets()
    client: Client = request.getfixturevalue("client")
    return TicketStream(lambda: client)


@pytest.fixture
def new_service() -> Iterator[NewService]:
    """Starts replicas of serving on a NATS that is set up, and ends them after the test."""
    services: list[Service] = []
    with temporary_folder() as folder, contextlib.ExitStack() as ends:
        numbers = itertools.count()

        def new(nats_url: str) -> Service:
            place = Path(folder, f"serving-{next(numbers)}")
            service = Service("serving", free_port(), place, {"COMANDA_NATS_URL": nats_url})
            ends.callback(service.kill)
            service.start()
            services.append(service)
            return service

        yield new


@pytest.fixture
def small_nats() -> Iterator[Nats]:
    """A server of the test's own that may keep little."""
    with temporary_folder() as folder:
        server = SmallNats(folder)
        server.start()
        yield server
        server.stop()


@pytest.fixture
async def kitchen(
    new_nats_server: Callable[[], Nats], new_service: NewService
) -> AsyncIterator[Kitchen]:
    nats = new_nats_server()
    await set_up(nats.url)
    service = new_service(nats.url)
    async with (
        connected([nats.url], "test") as client,
        httpx.AsyncClient(base_url=service.url, timeout=60, headers=bearer()) as http,
    ):
        kitchen = Kitchen(nats, client, http)
        await kitchen.is_ready()
        yield kitchen
