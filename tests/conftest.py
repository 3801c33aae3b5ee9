"""Real servers for the tests: one of each kind per test worker, started when first asked for."""

import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from comanda_local.folders import temporary_folder
from comanda_local.servers import MongoDB, Nats, Postgres
from pymongo import AsyncMongoClient
from service_kit.runtime import logs

logs.configure("test", "INFO")

NewNatsServer = Callable[[], Nats]


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def _postgres(server_folder: Path) -> Iterator[Postgres]:
    server = Postgres(server_folder / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_url(_postgres: Postgres) -> str:
    """URL of the server's own database; tests use `fresh_database`."""
    return _postgres.url


@pytest.fixture
async def fresh_database(_postgres: Postgres) -> AsyncIterator[str]:
    """URL (`postgresql+asyncpg://…`) of a new, empty database that is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    await _execute(_postgres, f"CREATE DATABASE {name}")
    yield _postgres.url_of(name)
    await _execute(_postgres, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(server: Postgres, statement: str) -> None:
    connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def nats_server(server_folder: Path) -> Iterator[Nats]:
    """The worker's NATS server, shared by its tests: who kills it starts it again."""
    server = Nats(server_folder / "nats")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def nats_url(nats_server: Nats) -> str:
    return nats_server.url


@pytest.fixture
def new_nats_server() -> Iterator[NewNatsServer]:
    """Starts NATS servers of the test's own, empty, and ends them after it."""
    servers: list[Nats] = []
    with temporary_folder() as folder:
        numbers = itertools.count()

        def new() -> Nats:
            servers.append(Nats(folder / f"nats-{next(numbers)}"))
            servers[-1].start()
            return servers[-1]

        yield new
        for server in servers:
            server.stop()


@pytest.fixture(scope="session")
def _mongodb(server_folder: Path) -> Iterator[MongoDB]:
    server = MongoDB(server_folder / "mongodb")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mongodb_url(_mongodb: MongoDB) -> str:
    """URL of a database that tests share; tests that write use `fresh_mongodb_url`."""
    return _mongodb.url


@pytest.fixture
async def fresh_mongodb_url(_mongodb: MongoDB) -> AsyncIterator[str]:
    """URL of a new, empty database that is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    yield _mongodb.url_of(name)
    async with AsyncMongoClient[dict[str, object]](_mongodb.url) as client:
        await client.drop_database(name)
