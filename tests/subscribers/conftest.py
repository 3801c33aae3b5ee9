"""The running system, and the example subscribers as processes beside it."""

import contextlib
import json
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from comanda_contracts.streams import ORDERS, ORDERS_ARCHIVE, TICKETS, TICKETS_ARCHIVE
from comanda_local.folders import temporary_folder
from comanda_local.nats_keys import new_seed, save_seed
from comanda_local.nats_logins import Login
from comanda_local.processes import Child
from comanda_local.servers import Nats
from comanda_local.servers.nats import ACCOUNTS
from comanda_local.stack import NATS_URL, Stack
from comanda_local.teams import write_team

from tests.node import installed, node
from tests.subscribers.broker import Broker

TEAMS = ("pickup-python", "pickup-javascript")
LANGUAGES = ("python", "javascript", "go")
"""Each team of the guide reads by the program in one of them."""
READ_BY_PICKUP = [each.subject for each in (ORDERS, TICKETS, ORDERS_ARCHIVE, TICKETS_ARCHIVE)]
EXAMPLES = Path(__file__).parents[2] / "examples" / "subscribers"


class Subscriber(Protocol):
    """One of the examples."""

    name: str
    process: Child

    def told(self) -> Counter[str]:
        """How often the record says that an order's customer was told, by the order's id."""
        ...

    def aside(self) -> set[tuple[str, int]]:
        """Stream and sequence of each message that the record says can't be read."""
        ...


class Python:
    """The one with FastStream."""

    name = "pickup-python"

    def __init__(self, folder: Path, nats: str) -> None:
        self._record = folder / "pickup.sqlite"
        command = [sys.executable, str(EXAMPLES / "python" / "pickup.py")]
        self.process = Child(
            self.name, command, folder, env=environment(self.name, nats, self._record)
        )

    def told(self) -> Counter[str]:
        told = "SELECT order_id FROM notices WHERE outcome = 'told'"
        with (
            contextlib.suppress(sqlite3.OperationalError),  # it has not begun its record yet
            contextlib.closing(sqlite3.connect(f"file:{self._record}?mode=ro", uri=True)) as db,
        ):
            return Counter(order_id for (order_id,) in db.execute(told))
        return Counter()

    def aside(self) -> set[tuple[str, int]]:
        with contextlib.closing(sqlite3.connect(f"file:{self._record}?mode=ro", uri=True)) as db:
            return set(db.execute("SELECT stream, sequence FROM aside"))


class JavaScript:
    """The one that knows nothing of ours but the JSON Schemas."""

    name = "pickup-javascript"

    def __init__(self, folder: Path, nats: str) -> None:
        self._record = folder / "pickup.jsonl"
        command = [node(), str(installed(EXAMPLES / "javascript") / "pickup.mjs")]
        self.process = Child(
            self.name, command, folder, env=environment(self.name, nats, self._record)
        )

    def told(self) -> Counter[str]:
        notices = self._entries("notice")
        return Counter(each["order_id"] for each in notices if each["outcome"] == "told")

    def aside(self) -> set[tuple[str, int]]:
        return {(each["stream"], each["sequence"]) for each in self._entries("aside")}

    def _entries(self, kind: str) -> list[dict[str, Any]]:
        text = self._record.read_text() if self._record.exists() else ""
        entries = [json.loads(line) for line in text.splitlines(keepends=True) if "\n" in line]
        return [entry[kind] for entry in entries if kind in entry]


def environment(name: str, nats: str, record: Path) -> dict[str, str]:
    return {"NATS_URL": nats, "TEAM": name, "RECORD": str(record), "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """The system with some teams more, let in as any team is."""
    with temporary_folder() as folder, pytest.MonkeyPatch.context() as patch:
        accounts = shutil.copytree(ACCOUNTS.parent, folder / "accounts") / ACCOUNTS.name
        for team in TEAMS:
            write_team(team, READ_BY_PICKUP, accounts.parent)
        for language in LANGUAGES:
            seed = new_seed()
            save_seed(seed, folder / f"guide-{language}.nk")
            login = Login.by_key(seed)
            write_team(f"guide-{language}", [ORDERS.subject], accounts.parent, login=login)
        patch.setattr("comanda_local.stack.ACCOUNTS", accounts)
        with Stack(folder, environment={}) as stack:
            yield stack


def url_of(team: str, stack: Stack) -> str:
    server = stack.servers[NATS_URL]
    assert isinstance(server, Nats)
    return server.url_of(team)


@pytest.fixture(params=[Python, JavaScript])
def subscriber(
    request: pytest.FixtureRequest, stack: Stack, tmp_path: Path
) -> Iterator[Subscriber]:
    made: Subscriber = request.param(tmp_path, url_of(request.param.name, stack))
    yield made
    made.process.stop()


@pytest.fixture(scope="package")
def broker_server() -> Iterator[Nats]:
    """Its accounts are a copy beside its folder, for teams to be let in."""
    with temporary_folder() as folder:
        accounts = shutil.copytree(ACCOUNTS.parent, folder / "accounts") / ACCOUNTS.name
        server = Nats(folder / "nats", accounts=accounts)
        server.start()
        yield server
        server.stop()


@pytest.fixture
async def broker(broker_server: Nats) -> AsyncIterator[Broker]:
    async with Broker.on(broker_server, broker_server.process.log.parents[1]) as broker:
        yield broker
