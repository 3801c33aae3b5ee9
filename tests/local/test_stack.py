"""The whole system on this machine: it starts, survives what is done to its parts, and ends."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import psutil
import pytest
from comanda_local.examples import examples
from comanda_local.folders import temporary_folder
from comanda_local.menus import la_piazza
from comanda_local.pages_host import ROLES
from comanda_local.ports import LOOPBACK, free_port
from comanda_local.processes import CannotStart
from comanda_local.servers import Postgres
from comanda_local.stack import DATABASE_URL, Stack
from comanda_local.system_urls import SystemUrls
from comanda_local.visits import generate_visits

COMANDA = Path(sys.executable).with_name("comanda")

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("stack"), pytest.mark.timeout(300)]


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


def test_every_service_is_ready_once_the_stack_is_up(stack: Stack) -> None:
    ready = {
        name: httpx.get(f"{service.url}/health/ready").status_code
        for name, service in stack.services.items()
    }

    assert ready == {"ordering": 200, "serving": 200, "query": 200}


def test_a_killed_service_comes_back_at_its_address(stack: Stack) -> None:
    serving = stack.services["serving"]
    serving.kill()

    serving.start()
    serving.wait_until_ready()

    assert httpx.get(f"{serving.url}/health/ready").is_success


def test_services_end_in_order_with_0(stack: Stack) -> None:
    services = list(stack.services.values())

    codes = [service.stop() for service in services]

    for service in services:
        service.start()
    for service in services:
        service.wait_until_ready()
    assert codes == [0, 0, 0]


def test_a_replica_runs_beside_the_first_one(stack: Stack) -> None:
    replica = stack.replica("query")

    assert replica.port != stack.services["query"].port
    assert httpx.get(f"{replica.url}/health/ready").is_success
    assert replica.process in stack.processes
    replica.stop()


def test_a_folder_that_is_in_use_is_said(stack: Stack) -> None:
    with pytest.raises(CannotStart, match="already up"), Stack(stack.folder):
        pass


def test_a_database_that_is_not_there_is_said(stack: Stack, folder: Path) -> None:
    server = stack.servers[DATABASE_URL]
    assert isinstance(server, Postgres)
    elsewhere = {DATABASE_URL: server.url_of("nowhere")}

    with (
        pytest.raises(CannotStart, match=r'ordering migrate failed(.|\n)*"nowhere" does not exist'),
        Stack(folder, environment=elsewhere),
    ):
        pass


def does_something(process: psutil.Process) -> bool:
    """False too for a zombie, which nobody takes note of if its parent was killed."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Up:
    """`comanda up` as a user starts it, on ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        ports = {name: free_port() for name in ("ordering", "serving", "query", "nats", "pages")}
        options = [part for name, port in ports.items() for part in (f"--{name}-port", str(port))]
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [COMANDA, "up", "--data", folder / "data", *options],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )

    def wait_until_up(self) -> None:
        self.wait_until(lambda: "The bill" in self.out.read_text())

    def wait_until(self, so_it_is: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 100
        while not so_it_is():
            assert self.process.poll() is None, self.out.read_text()
            assert time.monotonic() < deadline, self.out.read_text()
            time.sleep(0.05)

    def interrupt(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


class Ups:
    """One after another on the same data: whoever ends one leaves the next start to who comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: Up | None = None

    def running(self) -> Up:
        """The one that is up, started if need be."""
        if self._last is None or self._last.process.poll() is not None:
            self._last = Up(self._folder)
            self._last.wait_until_up()
        return self._last

    def end(self) -> None:
        """Interrupt what is still up."""
        if self._last is not None and self._last.process.poll() is None:
            self._last.interrupt(signal.SIGTERM)


@pytest.fixture(scope="module")
def ups() -> Iterator[Ups]:
    with temporary_folder() as folder:
        ups = Ups(folder)
        yield ups
        ups.end()


@pytest.fixture
def up(ups: Ups) -> Up:
    return ups.running()


def test_a_service_is_told_of_no_other_server_than_its_own(up: Up) -> None:
    told = {
        name: {
            variable
            for variable in psutil.Process(process_id(up, name)).environ()
            if re.fullmatch("COMANDA_(NATS|DATABASE|MONGODB)_URL", variable)
        }
        for name in ("ordering", "serving", "query")
    }

    assert told == {
        "ordering": {"COMANDA_NATS_URL", "COMANDA_DATABASE_URL"},
        "serving": {"COMANDA_NATS_URL"},
        "query": {"COMANDA_NATS_URL", "COMANDA_MONGODB_URL"},
    }


def process_id(up: Up, service: str) -> int | None:
    """None while it does not run, or is just written down."""
    with contextlib.suppress(OSError, ValueError):
        record = json.loads((up.folder / "data" / service / "process").read_text())
        return int(record["pid"])
    return None


def test_what_up_prints_works_when_pasted(up: Up) -> None:
    system = SystemUrls.find(up.folder / "data", {})
    printed = up.out.read_text()
    commands = examples(system.addresses, up.folder / "data" / "curl")

    outcome = subprocess.run(
        ["bash", "-eu"], input=commands, capture_output=True, text=True, check=False
    )

    assert commands in printed
    assert str(urlsplit(system.nats).password) not in printed
    assert stat.S_IMODE((up.folder / "data" / "curl").stat().st_mode) == 0o600
    assert outcome.returncode == 0, outcome.stderr
    answers = [json.loads(line) for line in outcome.stdout.splitlines() if line]
    view, queue, *_tickets, board, menu, order, sales = answers
    assert view["rounds"][0]["lines"][0]["sku"] == "margherita"
    assert queue.keys() == {"tickets"}
    assert board.keys() == {"preparing", "ready"}
    assert len(menu["items"]) == len(la_piazza().items)
    assert order["status"] == "closed"
    assert sales["by"] == "item"


def test_up_prints_a_link_to_each_page_that_is_paired(up: Up) -> None:
    printed = up.out.read_text()
    links = dict(re.findall(r"^  (\S+) +(http://localhost:\d+/\S+#\S+)$", printed, re.MULTILINE))

    assert links.keys() == ROLES.keys()
    for page, link in links.items():
        told = parse_qs(urlsplit(link).fragment)
        assert httpx.get(link).status_code == 200
        assert urlsplit(link).path == f"/{page}"
        assert told["restaurant"] == ["la-piazza"]
        assert len(told["token"][0].split(".")) == 3


def test_a_second_up_says_that_there_is_one_and_leaves_it_alone(up: Up) -> None:
    data = up.folder / "data"

    second = subprocess.run(
        [COMANDA, "up", "--data", data], capture_output=True, text=True, check=False
    )

    assert second.returncode == 1
    assert f"already up on {data} (process {up.process.pid})" in second.stderr
    assert up.process.poll() is None


@pytest.mark.parametrize("name", ["serving", "nats"])
def test_what_dies_is_said_and_started_again(up: Up, name: str) -> None:
    system = SystemUrls.find(up.folder / "data", {})
    killed = process_id(up, name)
    assert killed is not None

    os.kill(killed, signal.SIGKILL)
    up.wait_until(lambda: process_id(up, name) not in (None, killed))
    up.wait_until(lambda: answers(f"{system.serving}/health/ready"))
    up.wait_until(lambda: f"{name} was started again." in said_by(up))

    said = said_by(up)
    assert f"{name} ended by itself (exit code -9), and is started again in" in said
    assert up.process.poll() is None


def said_by(up: Up) -> str:
    return " ".join(up.out.read_text().split()).lower()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def test_an_up_after_one_that_was_killed_ends_what_that_left_and_has_what_was_ordered(
    ups: Ups, up: Up
) -> None:
    system = SystemUrls.find(up.folder / "data", {})
    order = generate_visits(1, la_piazza().skus, seed=1)[0].order
    orders = "v1/restaurants/la-piazza/orders"
    placed = httpx.post(f"{system.ordering}/{orders}", json=order, auth=system.auth()).json()
    orphans = psutil.Process(up.process.pid).children(recursive=True)
    up.process.kill()
    up.process.wait()
    assert all(does_something(process) for process in orphans)

    second = ups.running()

    system = SystemUrls.find(second.folder / "data", {})
    view = httpx.get(
        f"{system.query}/{orders}/{placed['order_id']}?min_version=1", auth=system.auth()
    )
    assert second is not up
    assert not any(does_something(process) for process in orphans)
    assert view.json()["number"] == placed["number"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_up_ends_with_0_and_leaves_no_process(up: Up, number: signal.Signals) -> None:
    offspring = psutil.Process(up.process.pid).children(recursive=True)

    code = up.interrupt(number)

    assert code == 0, up.out.read_text()
    assert [line for line in up.out.read_text().splitlines() if "was killed" in line] == []
    assert len(offspring) >= 6
    assert not any(process.is_running() for process in offspring)
    assert not (up.folder / "data" / "stack.json").exists()
    assert not (up.folder / "data" / "curl").exists()


@pytest.mark.parametrize(
    ("option", "name"),
    [("--nats-port", "NATS"), ("--query-port", "query"), ("--pages-port", "the pages")],
)
def test_a_taken_port_is_said_in_a_line_before_anything_starts(
    folder: Path, option: str, name: str
) -> None:
    taken = free_port()
    with socket.create_server((LOOPBACK, taken)):
        outcome = subprocess.run(
            [COMANDA, "up", "--data", folder, option, str(taken)],
            capture_output=True,
            text=True,
            check=False,
        )

    assert outcome.returncode == 1
    assert f"Port {taken}, wanted for {name}, is taken" in outcome.stderr
    assert not (folder / "postgres").exists()
    assert "Traceback" not in outcome.stderr
