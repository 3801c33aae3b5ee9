"""The running system, and the example subscribers as processes beside it."""

import contextlib
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from comanda_local.places import temporary_folder
from comanda_local.processes import Child
from comanda_local.stack import NATS_URL, Stack

from tests.node import installed, node

EXAMPLES = Path(__file__).parents[2] / "examples" / "subscribers"


class Subscriber(Protocol):
    """One of the examples."""

    name: str
    process: Child

    def told(self) -> Counter[str]:
        """How often the record says that an order's customer was told, by the order's id."""
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
        text = self._record.read_text() if self._record.exists() else ""
        entries = [json.loads(line) for line in text.splitlines(keepends=True) if "\n" in line]
        notices = [entry["notice"] for entry in entries if "notice" in entry]
        return Counter(each["order_id"] for each in notices if each["outcome"] == "told")


def environment(name: str, nats: str, record: Path) -> dict[str, str]:
    return {"NATS_URL": nats, "CONSUMER": name, "RECORD": str(record), "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    with temporary_folder() as folder, Stack(folder, environment={}) as stack:
        yield stack


@pytest.fixture(params=[Python, JavaScript])
def subscriber(
    request: pytest.FixtureRequest, stack: Stack, tmp_path: Path
) -> Iterator[Subscriber]:
    made: Subscriber = request.param(tmp_path, stack.urls[NATS_URL])
    yield made
    made.process.stop()
