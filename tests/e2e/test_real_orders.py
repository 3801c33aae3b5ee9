"""A takeaway's real orders, 2015 to 2019, ordered once more: replayed, rebuilt and audited.

The export is no part of the project: it is looked for in `shared/data` beside the repository.
`COMANDA_REPLAY_ORDERS` says how many of its orders are replayed; `all` takes some minutes.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from comanda_local.folders import temporary_folder
from comanda_local.pos_export.export import File, read_export
from comanda_local.pos_export.file_format import FileFormat
from comanda_local.stack import Stack
from comanda_local.system_urls import SystemUrls

COMANDA = Path(sys.executable).with_name("comanda")
DATA = Path(__file__).parents[3] / "shared" / "data"
ORDERS, PRICES = DATA / "takeaway-orders.csv", DATA / "takeaway-prices.csv"
WANTED = os.environ.get("COMANDA_REPLAY_ORDERS", "120")

pytestmark = [
    pytest.mark.servers,
    pytest.mark.xdist_group("real-orders"),  # they share a system
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not ORDERS.exists(), reason=f"there is no {ORDERS}"),
]


class Commands:
    """Runs `comanda` on a system, and keeps what it printed."""

    def __init__(self, stack: Stack) -> None:
        self._data = stack.folder

    def run(self, *arguments: object) -> str:
        """What it printed. Fails the test if it did not end with 0."""
        command = [str(each) for each in (COMANDA, *arguments, "--data", self._data)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        said = outcome.stdout + outcome.stderr
        print(said)
        assert outcome.returncode == 0, said
        return said


@pytest.fixture(scope="module")
def count() -> int:
    """How many orders there are to replay."""
    if WANTED != "all":
        return int(WANTED)
    orders, prices = (File(file.name, file.read_bytes()) for file in (ORDERS, PRICES))
    return len(read_export(orders, prices, FileFormat()).orders)


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    with temporary_folder() as folder, Stack(folder) as stack:
        SystemUrls.of(stack).save(folder)
        yield Commands(stack)


@pytest.fixture(scope="module")
def replayed(commands: Commands, count: int) -> str:
    return commands.run("replay", ORDERS, "--prices", PRICES, "--limit", count)


def figure(said: str, name: str) -> str:
    """The value beside a name in the table."""
    [line] = [line for line in said.splitlines() if name in line and "│" in line]
    return line.split("│")[2].strip()


def test_every_order_is_served_and_shown_as_it_was_written(replayed: str, count: int) -> None:
    assert figure(replayed, "orders placed") == f"{count:,}"
    assert figure(replayed, "rounds served") == f"{count:,}"
    assert figure(replayed, "audit: orders compared") == f"{count:,}"
    assert figure(replayed, "audit: differences") == "0"


def test_it_is_reported_how_far_the_estimates_were_off(replayed: str) -> None:
    for moment in ("placed", "begun"):
        assert "% of a wait of" in figure(replayed, f"estimate when {moment}, off by")


@pytest.mark.usefixtures("replayed")
def test_the_views_are_the_same_once_they_are_rebuilt(commands: Commands, count: int) -> None:
    rebuilt = commands.run("query", "rebuild")

    [compared] = [line for line in rebuilt.splitlines() if "documents compared" in line]
    documents, _, _, equal, *_ = compared.split()
    assert equal == documents
    assert int(documents.replace(",", "")) > count
    assert "Generation 2 is live" in rebuilt
    assert f"{count:,} orders compared, 0 differences" in commands.run("audit")


@pytest.mark.usefixtures("replayed")
def test_the_views_are_what_the_streams_say(commands: Commands) -> None:
    assert " compared, 0 differences, 0 repaired." in commands.run("query", "audit")
