"""The programs of the subscribers' guide, as they stand there, on a real server."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nats
import pytest
from comanda_contracts.examples import EXAMPLES as EVENTS
from comanda_contracts.orders import OrderEvent
from comanda_contracts.streams import ORDERS, ORDERS_ARCHIVE
from comanda_local.processes import Child
from comanda_local.teams import JETSTREAM_API
from nats.js.errors import NotFoundError, ServiceUnavailableError

from tests.node import installed, node
from tests.subscribers.broker import Broker
from tests.subscribers.conftest import EXAMPLES

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
CONTRACT, GUIDE = ROOT / "contracts" / "README.md", ROOT / "docs" / "subscribing.md"
GO_MODULE = "github.com/nats-io/nats.go@v1.53.1"
WITHIN_S = 60.0

ORDERS_SAID = [
    f"{event.order.number} {event.order.status} {event.order.version}"
    for event in EVENTS
    if isinstance(event, OrderEvent)
]


def snippet(page: Path, language: str, index: int = 0) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)
    return str(found[index])


def python(page: Path, folder: Path) -> list[str]:
    """On the guide the one with FastStream, behind the table."""
    return [sys.executable, "-c", snippet(page, "python", 0 if page == CONTRACT else 1)]


def javascript(page: Path, folder: Path) -> list[str]:
    """It finds the packages beside the examples."""
    program = folder / "orders.mjs"
    program.write_text(snippet(page, "javascript"))
    (folder / "node_modules").symlink_to(installed(EXAMPLES / "javascript") / "node_modules")
    return [node(), str(program)]


def go(page: Path, folder: Path) -> list[str]:
    """Built with the client's module, where Go and the module can be had."""
    found = shutil.which("go")
    if found is None:
        pytest.skip("needs the toolchain of Go, which is not on this machine")
    (folder / "main.go").write_text(snippet(page, "go"))
    subprocess.run([found, "mod", "init", "orders"], cwd=folder, check=True, capture_output=True)
    had = subprocess.run([found, "get", GO_MODULE], cwd=folder, capture_output=True, check=False)
    if had.returncode != 0:
        pytest.skip(f"needs {GO_MODULE}, which can't be had here")
    subprocess.run([found, "build", "-o", "orders", "."], cwd=folder, check=True)
    return [str(folder / "orders")]


PROGRAMS = {"python": python, "javascript": javascript, "go": go}


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_the_contracts_first_program_prints_the_orders(
    broker: Broker, language: str, tmp_path: Path
) -> None:
    team = await broker.team(f"first-{language}", ["orders.v1.*.*.placed"])
    await broker.publish(*EVENTS)

    ran = await asyncio.to_thread(
        subprocess.run,
        PROGRAMS[language](CONTRACT, tmp_path),
        cwd=tmp_path,
        env=os.environ | broker.environment(team),
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.splitlines() == ["A-017 la-piazza 2300 EUR"]


@pytest.mark.parametrize("language", list(PROGRAMS))
async def test_the_guides_subscriber_keeps_skips_puts_aside_and_settles(
    broker: Broker, language: str, tmp_path: Path
) -> None:
    """What has left the stream comes from its archive."""
    team = await broker.team(f"guide-{language}", [ORDERS.subject, ORDERS_ARCHIVE.subject])
    unreadable = [
        await broker.publish_raw("orders.v1.a.b.placed", body, ce_type)
        for body, ce_type in (
            (b"not json", "comanda.order.placed.v1"),
            (b"{}", "comanda.order.placed.v1"),
            (b"{}", None),
        )
    ]
    await broker.publish_raw("orders.v1.a.b.teleported", b"{}", "comanda.kitchen.teleported.v1")
    half = len(EVENTS) // 2
    await broker.publish(*EVENTS[:half])
    await broker.archive_all(ORDERS)
    command = PROGRAMS[language](GUIDE, tmp_path)
    said: list[str] = []

    for stream, events in ((ORDERS_ARCHIVE, ()), (ORDERS, EVENTS[half:])):
        await broker.publish(*events)
        environment = broker.environment(team) | {"PYTHONUNBUFFERED": "1", "STREAM": stream.name}
        program = Child(language, command, tmp_path, env=os.environ | environment)
        program.start()
        try:
            await broker.until_settled(stream, team, program)
        finally:
            program.stop()
        said += program.log.read_text().splitlines()

    assert sorted(line for line in said if line.startswith("A-")) == sorted(ORDERS_SAID)
    lines = (tmp_path / "aside.jsonl").read_text().splitlines()
    aside = [(entry["stream"], entry["sequence"]) for entry in map(json.loads, lines)]
    assert sorted(aside) == [(ORDERS_ARCHIVE.name, sequence) for sequence in unreadable]


async def test_the_guides_watch_says_how_far_behind_it_is_and_ends_once_the_consumer_is_gone(
    broker: Broker, tmp_path: Path
) -> None:
    team = await broker.team("watch", [ORDERS.subject])
    await broker.publish(*EVENTS)
    program = snippet(GUIDE, "python", 2).replace("QUIET_S = 30", "QUIET_S = 0.1")
    watching = Child(
        "watch",
        [sys.executable, "-c", program],
        tmp_path,
        env=os.environ | broker.environment(team),
    )

    watching.start()
    watching.wait_until(lambda: "wait," in watching.log.read_text(), within=WITHIN_S)
    await broker.delete_consumers(team)
    code = await asyncio.to_thread(watching.wait)

    assert f"{len(ORDERS_SAID)} wait, 0 under way" in watching.log.read_text()
    assert "NotFoundError" in watching.log.read_text()
    assert code == 1


@pytest.mark.parametrize(
    ("prefix", "stream", "consumer", "seen"),
    [
        (JETSTREAM_API, "ORDER", "lost", ServiceUnavailableError),
        (JETSTREAM_API, "TICKETS", "lost", ServiceUnavailableError),
        (JETSTREAM_API, "ORDERS", "los", ServiceUnavailableError),
        (JETSTREAM_API, "ORDERS", "query", ServiceUnavailableError),
        (JETSTREAM_API, "MENU", "lost", NotFoundError),
        ("$JS.API", "ORDERS", "lost", '"$js.api.consumer.info.orders.lost"'),
    ],
)
async def test_what_is_wrong_looks_as_the_guide_says(
    broker: Broker, prefix: str, stream: str, consumer: str, seen: type[Exception] | str
) -> None:
    """`NotFoundError` is what a granted consumer looks like that nobody made."""
    team = await broker.team("lost", [ORDERS.subject, "menu.v1.>"])
    await broker.jetstream.delete_consumer("MENU", team.name)
    forbidden: asyncio.Queue[str] = asyncio.Queue()

    async def hear(error: Exception) -> None:
        forbidden.put_nowait(str(error))

    async with await nats.connect(
        broker.url, nkeys_seed=str(broker.key_file(team.name)), error_cb=hear
    ) as client:
        asked = client.jetstream(prefix=prefix).consumer_info(stream, consumer)
        if isinstance(seen, str):
            with pytest.raises(nats.errors.TimeoutError):
                await asked
            said = await asyncio.wait_for(forbidden.get(), WITHIN_S)
            assert seen in said
            name = "permissions violation for publish"
            assert name in said
        else:
            with pytest.raises(seen):
                await asked
            name = seen.__name__

    assert name in GUIDE.read_text()


def test_the_guide_runs_every_program_it_shows() -> None:
    """One more would need a test of its own."""
    shown: Sequence[str] = re.findall(r"```(\w+)\n", GUIDE.read_text())

    programs = [language for language in shown if language != "sh"]
    assert programs == ["python", "python", "javascript", "go", "python"]
    assert snippet(GUIDE, "python") == (EXAMPLES / "python" / "table.py").read_text()
