"""Ordering's store on a real PostgreSQL."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import pytest
from comanda_local.servers import Nats, Postgres
from nats.aio.client import Client
from nats.js import JetStreamContext
from ordering.application.list_menu import Menus
from ordering.outbound.database.engine import connect
from ordering.outbound.database.migration import migrate
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.transaction.group_commit import GroupCommit
from ordering.outbound.transaction.menus import PostgresMenus
from service_kit.nats.jetstream import connected
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.conftest import NewNatsServer, new_database
from tests.ordering.fakes import InMemoryStore
from tests.ordering.relaying import set_up_streams
from tests.ordering.use_cases import Store


@dataclass
class Database:
    """A migrated database of the test's own."""

    url: str
    engine: AsyncEngine
    admin_url: str = ""
    """Of the superuser, for what happens to a database."""
    commits: int = field(default=0)

    def replica(self, first_events: FirstEvents | None = None) -> GroupCommit:
        """The store of one ordering process; `commits` counts the transactions of all."""
        return GroupCommit(
            self.engine, new_id=uuid.uuid4, first_events=first_events or FirstEvents()
        )

    def __post_init__(self) -> None:
        event.listen(self.engine.sync_engine, "commit", self._count)

    def _count(self, _: object) -> None:
        self.commits += 1

    async def administer(self, statement: str) -> None:
        """Have the superuser do what the service may not."""
        connection = await asyncpg.connect(self.admin_url.replace("+asyncpg", ""))
        await connection.execute(statement)
        await connection.close()

    async def rows(self, statement: str) -> list[tuple[object, ...]]:
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(statement))]


@pytest.fixture(scope="session")
async def migrated(postgres_server: Postgres) -> AsyncIterator[str]:
    """Name of a migrated database that nobody uses: tests get copies of it."""
    async with new_database(postgres_server) as name:
        await asyncio.to_thread(postgres_server.make_roles, name)
        await asyncio.to_thread(migrate, postgres_server.url_of(name, "ordering_migrator"))
        yield name


@pytest.fixture
async def database(postgres_server: Postgres, migrated: str) -> AsyncIterator[Database]:
    """Made by the role that migrates, used by the one that the service has."""
    async with new_database(postgres_server, migrated) as name:
        url = postgres_server.url_of(name, "ordering")
        engine = connect(url)
        yield Database(url, engine, admin_url=postgres_server.url_of(name))
        await engine.dispose()


@pytest.fixture(params=[pytest.param("postgres", marks=pytest.mark.servers), "memory"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each of the stores: what they promise is the same."""
    if request.param == "memory":
        return InMemoryStore()
    database: Database = request.getfixturevalue("database")
    return database.replica()


@pytest.fixture
def menus(request: pytest.FixtureRequest, store: Store) -> Menus:
    """The menus in that store."""
    if isinstance(store, InMemoryStore):
        return store
    database: Database = request.getfixturevalue("database")
    return PostgresMenus(database.engine)


@pytest.fixture
async def nats_server(new_nats_server: NewNatsServer) -> Nats:
    """A server of the test's own, with the relay's streams: every test has them for itself."""
    server = new_nats_server()
    await set_up_streams(server)
    return server


@pytest.fixture
async def client(nats_server: Nats) -> AsyncIterator[Client]:
    async with connected([nats_server.url], "test") as client:
        yield client


@pytest.fixture
def js(client: Client) -> JetStreamContext:
    return client.jetstream()
