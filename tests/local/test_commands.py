"""`comanda demo`, `replay` and `audit`, as a user runs them."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest
from comanda_local.stack import Stack
from comanda_local.system_urls import SystemUrls
from query.maintenance.session import open_session
from query.storage.checkpoints import MongoCheckpoints
from query.storage.generations import Generation

from tests.support.eventually import eventually

COMANDA = Path(sys.executable).with_name("comanda")
PROJECTED = ("ORDERS", "TICKETS", "MENU", "RESTAURANTS")
PRICES = "Item Name,Product Price\nPilau Rice,2.95\nPlain Papadum,0.8\n"
ORDERS = """\
Order Number,Order Date,Item Name,Quantity
7,13/8/2019 20:25,Pilau Rice,1
8,13/8/2019 20:26,Pilau Rice,2
7,13/8/2019 20:25,Plain Papadum,3
8,13/8/2019 20:26,Pilau Rice,2
"""
LOBSTER = "7,13/8/2019 20:25,Lobster,1\n"

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("stack")]


@pytest.fixture
def export(tmp_path: Path) -> tuple[Path, Path]:
    orders, prices = tmp_path / "orders.csv", tmp_path / "prices.csv"
    orders.write_text(ORDERS, encoding="utf-8-sig")
    prices.write_text(PRICES, encoding="utf-8-sig")
    return orders, prices


def comanda(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [str(part) for part in (COMANDA, *arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@asynccontextmanager
async def views_of(stack: Stack) -> AsyncIterator[Generation]:
    """The store of the views that are live."""
    system = SystemUrls.of(stack)
    async with open_session([system.nats], system.mongodb) as session:
        yield session.generations.live


async def query_looks_at_what_comes_later(stack: Stack) -> None:
    """Have query look for newer events than there are, so that it does not miss older ones.

    It knows the views by the last events that it acknowledged, and makes anew those that lack them.
    """
    system = SystemUrls.of(stack)
    venue = "/v1/restaurants/later"
    line = {"sku": "tea", "quantity": 1}
    async with open_session([system.nats], system.mongodb) as session:
        ends = {each: (await session.js.stream_info(each)).state.last_seq for each in PROJECTED}
        async with httpx.AsyncClient(base_url=system.ordering, auth=system.auth()) as ordering:
            for method, path, body in (
                ("PUT", venue, {"name": "Later", "currency": "EUR", "time_zone": "Europe/Rome"}),
                ("PUT", f"{venue}/menu/tea", {"name": "Tea", "category": "drinks", "price": 250}),
                (
                    "POST",
                    f"{venue}/orders",
                    {"channel": "dine_in", "table": "1", "guests": 2, "lines": [line]},
                ),
            ):
                (await ordering.request(method, path, json=body)).raise_for_status()
        checkpoints = MongoCheckpoints(session.database, session.generations)
        await eventually(
            checkpoints.known,
            lambda known: all(known[each].sequence > end for each, end in ends.items()),
        )


def figure(output: str, name: str) -> str:
    """The value beside a name in the table."""
    [line] = [line for line in output.splitlines() if name in line and "│" in line]
    return line.split("│")[2].strip()


def test_a_demo_places_what_it_was_asked_for_and_finds_no_difference() -> None:
    outcome = comanda("demo", "--orders", 30)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert figure(outcome.stdout, "orders placed") == "30"
    assert figure(outcome.stdout, "audit: orders compared") == "30"
    assert figure(outcome.stdout, "audit: differences") == "0"


def test_a_demo_that_is_interrupted_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    tmp_path.chmod(0o755)
    command = [str(COMANDA), "demo", "--orders", "5000"]
    demo = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    root = psutil.Process(demo.pid)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("*/query/log")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    offspring = root.children(recursive=True)

    demo.send_signal(signal.SIGTERM)
    demo.communicate(timeout=60)

    assert demo.returncode != 0
    assert len(offspring) >= 4
    assert not any(process.is_running() for process in offspring)
    assert list(tmp_path.iterdir()) == []


def test_a_replay_with_a_bad_row_names_it_and_places_nothing(
    tmp_path: Path, export: tuple[Path, Path]
) -> None:
    orders, prices = export
    orders.write_text(ORDERS + LOBSTER, encoding="utf-8")

    outcome = comanda("replay", orders, "--prices", prices, "--data", tmp_path)

    assert outcome.returncode == 1
    assert "line 6: 'Lobster' is not in the price list" in outcome.stdout
    assert "Nothing is placed" in outcome.stdout


def test_a_replay_that_may_skip_bad_rows_places_the_others_and_names_them(
    stack: Stack, export: tuple[Path, Path]
) -> None:
    orders, prices = export
    orders.write_text(ORDERS + LOBSTER, encoding="utf-8")
    options = ("--skip-bad-rows", "--data", stack.folder, "--restaurant", "skipped")

    outcome = comanda("replay", orders, "--prices", prices, *options)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "line 6: 'Lobster' is not in the price list" in outcome.stdout
    assert figure(outcome.stdout, "orders placed") == "2"


def test_a_replay_shows_how_it_reads_the_files_without_a_running_system(
    tmp_path: Path, export: tuple[Path, Path]
) -> None:
    orders, prices = export

    outcome = comanda("replay", orders, "--prices", prices, "--only-read", "--data", tmp_path)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "dates: day-first by '13/8/2019 20:25' in line 2" in outcome.stdout
    assert "4 rows, of which 0 are left out" in outcome.stdout


def test_a_replay_asks_what_it_can_not_guess(tmp_path: Path, export: tuple[Path, Path]) -> None:
    orders, prices = export
    orders.write_text(ORDERS.replace("13/8", "3/8"), encoding="utf-8")

    outcome = comanda("replay", orders, "--prices", prices, "--data", tmp_path)

    assert outcome.returncode == 1
    assert "say --date-format day-first or month-first" in outcome.stdout


@pytest.mark.parametrize(
    "options", [("--zone", "Factory"), ("--currency", "QQQ"), ("--delimiter", "ab")]
)
def test_a_replay_refuses_an_option_that_means_nothing_in_a_line(
    options: tuple[str, str], export: tuple[Path, Path]
) -> None:
    orders, prices = export

    outcome = comanda("replay", orders, "--prices", prices, *options)

    assert outcome.returncode == 1
    assert options[1] in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_replay_places_every_order_with_what_its_file_says(
    stack: Stack, export: tuple[Path, Path]
) -> None:
    orders, prices = export

    outcome = comanda("replay", orders, "--prices", prices, "--data", stack.folder)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert figure(outcome.stdout, "orders placed") == "2"
    assert figure(outcome.stdout, "audit: differences") == "0"


def test_a_replay_can_be_repeated(stack: Stack, export: tuple[Path, Path]) -> None:
    orders, prices = export
    options = ("--prices", prices, "--data", stack.folder, "--restaurant", "twice")

    outcomes = [comanda("replay", orders, *options) for _ in range(2)]

    assert [outcome.returncode for outcome in outcomes] == [0, 0]
    assert figure(outcomes[1].stdout, "audit: orders compared") == "4"


def test_a_file_with_other_columns_is_refused_in_a_line(
    stack: Stack, export: tuple[Path, Path]
) -> None:
    _, prices = export

    outcome = comanda("replay", prices, "--prices", prices, "--data", stack.folder)

    assert outcome.returncode == 1
    assert "there is no column 'Order Number'" in outcome.stderr
    assert "Traceback" not in outcome.stderr


async def test_an_audit_finds_a_row_that_was_changed_behind_the_services_back(
    stack: Stack, export: tuple[Path, Path]
) -> None:
    orders, prices = export
    options = ("--data", stack.folder, "--restaurant", "tampered")
    replayed = await asyncio.to_thread(comanda, "replay", orders, "--prices", prices, *options)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    connection = await asyncpg.connect(SystemUrls.of(stack).database.replace("+asyncpg", ""))
    await connection.execute("UPDATE orders SET customer = 'X' WHERE restaurant = 'tampered'")
    await connection.close()

    outcome = await asyncio.to_thread(comanda, "audit", *options, "--patience", 0.5)

    assert outcome.returncode == 1
    assert outcome.stdout.count("customer: written X, shown No. ") == 2


async def test_an_audit_finds_every_order_that_only_the_read_side_has(
    stack: Stack, export: tuple[Path, Path]
) -> None:
    orders, prices = export
    options = ("--data", stack.folder, "--restaurant", "haunted")
    replayed = await asyncio.to_thread(comanda, "replay", orders, "--prices", prices, *options)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    async with views_of(stack) as live:
        ghost = await live.orders.find_one({"restaurant": "haunted"})
        assert ghost is not None
        ghosts = [ghost | {"_id": str(uuid.uuid4())} for _ in range(1200)]
        await live.orders.insert_many(ghosts)

        outcome = await asyncio.to_thread(comanda, "audit", *options, "--patience", 0.5)

        await live.orders.delete_many({"_id": {"$in": [each["_id"] for each in ghosts]}})
    assert outcome.returncode == 1
    assert outcome.stdout.count(": order: written nothing, shown A-") == 1200
    assert "haunted: 1,202 orders compared, 1,200 differences" in outcome.stdout


async def test_an_audit_finds_every_order_that_the_read_side_lost(
    stack: Stack, export: tuple[Path, Path]
) -> None:
    orders, prices = export
    options = ("--data", stack.folder, "--restaurant", "forgotten")
    replayed = await asyncio.to_thread(comanda, "replay", orders, "--prices", prices, *options)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    await query_looks_at_what_comes_later(stack)
    async with views_of(stack) as live:
        lost = await live.orders.find({"restaurant": "forgotten"}).to_list()
        venue = await live.restaurants.find_one_and_delete({"_id": "forgotten"})
        await live.orders.delete_many({"restaurant": "forgotten"})

        outcome = await asyncio.to_thread(comanda, "audit", *options, "--patience", 0.5)

        assert venue is not None
        await live.orders.insert_many(lost)
        await live.restaurants.insert_one(venue)
    assert outcome.returncode == 1
    assert "forgotten: 2 orders compared, 2 differences" in outcome.stdout


def test_an_audit_without_a_running_system_says_so(tmp_path: Path) -> None:
    outcome = comanda("audit", "--data", tmp_path)

    assert outcome.returncode == 1
    assert "There is no running Comanda" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_the_read_side_is_operated_by_the_commands_of_query(stack: Stack) -> None:
    outcome = comanda("query", "generations", "--data", stack.folder)

    assert outcome.returncode == 0, outcome.stderr
    assert "live" in outcome.stdout
    assert comanda("query", "audit", "--data", stack.folder, "--repair").returncode == 0


@pytest.mark.parametrize("service", ["ordering", "serving", "query"])
def test_what_a_service_set_aside_is_looked_at_by_its_own_command(
    stack: Stack, service: str
) -> None:
    outcome = comanda(service, "dead-letters", "list", "--data", stack.folder)

    assert outcome.returncode == 0, outcome.stderr
    assert re.fullmatch(r"\d+ dead letters?\.\n", outcome.stderr)


@pytest.mark.parametrize("service", ["ordering", "serving", "query"])
def test_what_the_commands_of_a_service_do_is_told_without_a_running_system(
    service: str, tmp_path: Path
) -> None:
    outcome = comanda(service, "dead-letters", "--help", "--data", tmp_path)

    assert outcome.returncode == 0, outcome.stderr
    assert "replay" in outcome.stdout


def test_a_service_without_a_command_is_not_started(tmp_path: Path) -> None:
    outcome = comanda("serving", "--database", "postgresql+asyncpg://a/b", "--data", tmp_path)

    assert outcome.returncode == 1
    assert "dead-letters" in outcome.stderr
