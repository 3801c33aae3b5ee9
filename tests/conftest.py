"""Real servers for the tests: one of each kind per test worker, started when first asked for."""

import contextlib
import inspect
import itertools
import os
import subprocess
import typing
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog
from comanda_local.folders import temporary_folder
from comanda_local.servers import MongoDB, Nats, Postgres
from comanda_local.services import Service
from comanda_local.stack import Stack
from comanda_local.system_urls import SystemUrls
from pymongo import AsyncMongoClient
from service_kit.runtime import logs

from tests.support import starting
from tests.support.forked import ForkingPopen
from tests.support.rates import HIGH_RATES
from tests.support.tokens import own_issuer
from tests.support.type_adapters import make_each_once

pytest_plugins = ["tests.leftovers"]
subprocess.Popen = ForkingPopen  # type: ignore[misc]
make_each_once()
logs.configure("test", "INFO")
structlog.configure(cache_logger_on_first_use=False)  # a test may configure it otherwise
os.environ.update(own_issuer().environment)  # whom services believe that have no Stack
os.environ["COMANDA_RECALL_GRACE_SECONDS"] = "0"  # a takeaway order is over with its last round
os.environ.update(HIGH_RATES)  # a test's load comes from one subject, for one restaurant

NewNatsServer = Callable[[], Nats]
SERVERS: tuple[type, ...] = (Nats, Postgres, MongoDB, Service)
MAY_START_PROGRAMS = ("programs", "packages", "servers")
"""Marks, of which a test that starts any process has one."""
STACK = "stack"
"""The fixture of the system that tests share, and the group of those tests."""
LONGEST_FIRST = (
    *(STACK, "benchmark", "real-orders", "faults", "read-side"),
    *("rolling", "pickup", "poison", "replicas", "abandoned", "traces", "drill"),
)
"""Groups of tests that take a minute or so, and more, in the order in which workers get them.

What is short comes last, so that none is still at work for long when the others have finished.
"""


@pytest.hookimpl(tryfirst=True)  # before those with the mark are deselected
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the longest groups first, and mark every test with a fixture that yields a server."""
    items.sort(key=_turn)
    for item in items:
        if isinstance(item, pytest.Function) and any(map(_yields_a_server, _fixtures_of(item))):
            item.add_marker("servers")


def _turn(item: pytest.Item) -> int:
    group = _group_of(item)
    return LONGEST_FIRST.index(group) if group else len(LONGEST_FIRST)


def _group_of(item: pytest.Item | None) -> str | None:
    """The group of tests that one worker has."""
    mark = item and item.get_closest_marker("xdist_group")
    return str(mark.args[0]) if mark else None


def _fixtures_of(item: pytest.Function) -> Iterator[Callable[..., object]]:
    """The functions of all fixtures that the test needs."""
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        yield definitions[-1].func


def _yields_a_server(fixture: Callable[..., object]) -> bool:
    return _mentions_a_server(inspect.signature(fixture).return_annotation)


def _mentions_a_server(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, (*SERVERS, Stack)):
        return True
    inner = annotation if isinstance(annotation, list) else typing.get_args(annotation)
    return any(map(_mentions_a_server, inner))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that starts a server or a program, and has no mark: `make test-fast` has it."""

    def refuse(server: object) -> typing.NoReturn:
        pytest.fail(f"{type(server).__name__} is started: mark the test with `servers`")

    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("servers") is None:
            for kind in SERVERS:
                patch.setattr(kind, "start", refuse)
        if not any(map(item.get_closest_marker, MAY_START_PROGRAMS)):
            patch.setattr(starting, "is_allowed", False)
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    """End the shared system with the last test of its group: idle it takes an eighth of a core."""
    yield
    if _group_of(item) == STACK != _group_of(nextitem) and isinstance(item, pytest.Function):
        shared, *_ = item.session._fixturemanager.getfixturedefs(STACK, item) or ()
        shared.finish(item._request)  # type: ignore[arg-type]  # for what an error says


@pytest.fixture(autouse=True)
def _same_logs() -> Iterator[None]:
    """Where logs go is the process's: what a test has said of it holds for no other."""
    configuration = structlog.get_config()
    yield
    structlog.configure(**configuration)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[Postgres]:
    server = Postgres(server_folder / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Postgres) -> str:
    """URL of the server's own database; tests use `fresh_database`."""
    return postgres_server.url


@pytest.fixture
async def fresh_database(postgres_server: Postgres) -> AsyncIterator[str]:
    """URL (`postgresql+asyncpg://…`) of a new, empty database that is dropped afterwards."""
    async with new_database(postgres_server) as name:
        yield postgres_server.url_of(name)


@contextlib.asynccontextmanager
async def new_database(server: Postgres, template: str = "template1") -> AsyncIterator[str]:
    """Name of a new database, a copy of the template, that is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    await _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield name
    await _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


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
def stack() -> Iterator[Stack]:
    """The whole system, which the tests of the group `stack` share.

    Each has a restaurant of its own; whoever stops a part of the system starts it again.
    """
    with temporary_folder() as folder, Stack(folder, environment={}) as stack:
        SystemUrls.of(stack).save(folder)
        yield stack
        log = (stack.folder / "nats" / "log").read_text()
        assert "Violation" not in log, "a service was forbidden what it needs"


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
