"""Query's parts on a real MongoDB."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from functools import partial

import httpx
import pytest
from comanda_contracts import OrderEvent, TicketEvent
from comanda_local.folders import temporary_folder
from comanda_local.ports import LOOPBACK, free_port
from comanda_local.servers import MongoDB, Nats
from nats.aio.client import Client
from query.bootstrap import answers_from
from query.storage.client import Database, connect, monitor_server
from query.storage.generations import Generations
from query.storage.menus import MongoMenus
from query.storage.orders.store import MongoOrders
from query.views.merge import merge_by_key
from query.views.orders.view import merge, view_of
from service_kit.access.withdrawals import Withdrawals
from service_kit.http.server import application
from service_kit.nats.jetstream import connected
from service_kit.runtime.components import Component

from tests.conftest import NewNatsServer
from tests.query.builders import a_restaurant
from tests.query.running import STREAMS, in_process, set_up
from tests.support.admission import own_admission


async def store(orders: MongoOrders, *events: OrderEvent | TicketEvent) -> None:
    """Write a batch to the orders as the projector does."""
    await orders.merge(merge_by_key(map(view_of, events), lambda view: view.order_id, merge))


async def project(generations: Generations, *events: OrderEvent | TicketEvent) -> None:
    """Write a batch as the projector does, to each generation that is written."""
    await store(MongoOrders(generations), *events)


@contextlib.asynccontextmanager
async def answering(
    mongodb_url: str,
    min_version_wait: float = 5.0,
    *,
    has_lanes: bool = True,
    withdrawals: Withdrawals | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service without its projectors: it answers from what tests store.

    Without lanes the framework answers every question.
    """
    client, database = connect(mongodb_url)
    generations = Generations(database)
    orders, menus = MongoOrders(generations), MongoMenus(generations)
    watch = partial(monitor_server, client, [orders.set_up, menus.set_up])
    answers = answers_from(generations, min_version_wait=min_version_wait)
    if not has_lanes:
        answers.lanes.clear()
    components = [Component("mongodb", watch), *answers.beside]
    app = application("query", "under test", components, admission=own_admission(withdrawals))
    answers.add_to(app)
    async with client, app.router.lifespan_context(app), in_process(app) as questions:
        yield questions


@pytest.fixture
def restaurant() -> str:
    """A restaurant of the test's own."""
    return a_restaurant()


@pytest.fixture
def nats_server(new_nats_server: NewNatsServer) -> Nats:
    """A server of the test's own: streams and consumers have the same names everywhere."""
    return new_nats_server()


@pytest.fixture
async def nats(nats_server: Nats) -> AsyncIterator[Client]:
    """A connection to it, with the streams that query reads."""
    async with connected([nats_server.url], "test") as client:
        await set_up(client, *STREAMS)
        yield client


@pytest.fixture
def own_mongodb() -> Iterator[MongoDB]:
    """A server of the test's own, to be killed."""
    with temporary_folder() as folder:
        server = MongoDB(folder)
        server.start()
        yield server
        server.stop()


@pytest.fixture
def no_mongodb() -> str:
    """The URL of a server that is not there."""
    return f"mongodb://{LOOPBACK}:{free_port()}/comanda?replicaSet=rs0"


@pytest.fixture
async def database(fresh_mongodb_url: str) -> AsyncIterator[Database]:
    client, database = connect(fresh_mongodb_url)
    async with client:
        yield database


@pytest.fixture
async def orders(database: Database) -> MongoOrders:
    orders = MongoOrders(Generations(database))
    await orders.set_up()
    return orders


@pytest.fixture
async def menus(database: Database) -> MongoMenus:
    menus = MongoMenus(Generations(database))
    await menus.set_up()
    return menus


@pytest.fixture
async def query(fresh_mongodb_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """The service without its projectors: it answers from what `orders` and `menus` have."""
    async with answering(fresh_mongodb_url) as client:
        yield client
