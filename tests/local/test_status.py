"""`comanda status`: the whole system on one screen, and what is wrong with it in a line."""

import io
import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import nats
import pytest
from comanda_contracts import subjects
from comanda_contracts.streams import (
    ALL_STREAMS,
    ARCHIVES,
    DEAD_LETTERS,
    ORDERS,
    ORDERS_ARCHIVE,
)
from comanda_local.ports import LOOPBACK, free_port
from comanda_local.stack import Stack
from comanda_local.status.screen import as_json, print_status
from comanda_local.status.survey import survey
from comanda_local.status.system_status import (
    ConsumerStatus,
    OutboxStatus,
    ServiceStatus,
    StoreStatus,
    StreamStatus,
    SystemStatus,
    troubles,
)
from comanda_local.system_urls import SystemUrls
from nats.js import api
from rich.console import Console

from tests.conftest import NewNatsServer
from tests.local.test_commands import comanda

SCREEN_LINES = 50

ORDERING = ServiceStatus("ordering", "http://ordering", "ready", {"database": "ready"})
WELL = SystemStatus(
    services=[ORDERING],
    stores=[StoreStatus("nats", "2.12.0", 1024, 4096)],
    streams=[
        StreamStatus(each.name, 10, 1000, bytes_max=10_000) for each in (*ALL_STREAMS, *ARCHIVES)
    ],
    consumers=[ConsumerStatus("ORDERS", "serving", 3, 1, 0.5)],
    outbox=OutboxStatus(2, 0.1, 0),
)


def shown(status: SystemStatus) -> str:
    console = Console(file=io.StringIO(), width=100)
    print_status(status, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_nothing_is_wrong_with_a_system_that_works() -> None:
    assert troubles(WELL) == []
    assert shown(WELL).splitlines()[-1] == "All is well."


def test_an_archive_is_missed_and_may_be_full() -> None:
    others = [each for each in WELL.streams or () if each.name != ORDERS_ARCHIVE.name]
    full = StreamStatus(ORDERS_ARCHIVE.name, 10, 10_000, bytes_max=10_000)

    assert troubles(replace(WELL, streams=others)) == ["no stream ORDERS_ARCHIVE"]
    assert troubles(replace(WELL, streams=[*others, full])) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            {"services": [replace(ORDERING, state="degraded", components={"relay": "no NATS"})]},
            "ordering is degraded (relay: no NATS)",
        ),
        (
            {"services": [ServiceStatus("query", "", "away", reason="it can't be reached")]},
            "query is away (it can't be reached)",
        ),
        ({"stores": [StoreStatus("mongodb", reason="no answer")]}, "mongodb: no answer"),
        ({"stores": [StoreStatus("nats", "2.12.0", 80, 100)]}, "nats is 80% full"),
        (
            {"consumers": [ConsumerStatus("ORDERS", "serving", 1200, 34, 31.2)]},
            "serving is 1,234 messages and 31 s behind ORDERS",
        ),
        ({"outbox": OutboxStatus(7, 45.0, 0)}, "7 events wait in the outbox, for up to 45 s"),
        ({"outbox": OutboxStatus(0, None, 2)}, "2 parked events"),
        ({"dead_letters": {"serving": 1}}, "1 dead letter of serving"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(found: dict[str, Any], said: str) -> None:
    status = replace(WELL, **found)

    assert troubles(status) == [said]
    assert shown(status).splitlines()[-1] == f"Wrong: {said}"


@pytest.mark.parametrize(
    ("streams", "said"),
    [
        ([StreamStatus("ORDERS", 0, 85, bytes_max=100)], "ORDERS is 85% full"),
        ([StreamStatus("ORDERS", 9, 1, messages_max=10)], "ORDERS is 90% full"),
        ([StreamStatus("ORDERS", 0, 0, copies_away=["n2"])], "ORDERS has no current copy on n2"),
        ([], "no stream ORDERS"),
    ],
)
def test_a_stream_that_fills_or_is_not_there_is_said(
    streams: Sequence[StreamStatus], said: str
) -> None:
    others = [each for each in WELL.streams or () if each.name != ORDERS.name]

    assert troubles(replace(WELL, streams=[*others, *streams])) == [said]


def test_consumers_that_nothing_waits_for_share_a_line() -> None:
    idle = [ConsumerStatus("ORDERS", name, 0, 0, None) for name in ("query", "loyalty")]

    lines = shown(replace(WELL, consumers=[*WELL.consumers, *idle])).splitlines()

    assert [line.split() for line in lines if "ORDERS/" in line] == [
        ["ORDERS/serving", "4", "1", "0.5", "s"]
    ]
    assert any(line.startswith("2 that nothing waits for") for line in lines)


def test_a_team_that_is_behind_is_shown_and_is_nothing_wrong_with_the_system() -> None:
    status = replace(WELL, consumers=[ConsumerStatus("ORDERS", "loyalty", 5_000, 0, 9_000.0)])

    assert troubles(status) == []
    assert "ORDERS/loyalty" in shown(status)


def test_what_a_server_says_moves_no_cursor_and_is_no_markup() -> None:
    said = "[red]\x1b[2J"
    status = replace(WELL, services=[replace(ORDERING, state="degraded", components={"a": said})])

    assert "a: [red]?[2J" in shown(status)


@pytest.mark.servers
async def test_streams_lag_and_dead_letters_are_those_that_nats_has(
    new_nats_server: NewNatsServer,
) -> None:
    server, nowhere = new_nats_server(), f"http://{LOOPBACK}:{free_port()}"
    client = await nats.connect(server.url)
    js = client.jetstream()
    for stream in (ORDERS, DEAD_LETTERS):
        await js.add_stream(name=stream.name, subjects=[stream.subject], max_bytes=1_000_000)
    durable = api.ConsumerConfig(durable_name="serving", ack_policy=api.AckPolicy.EXPLICIT)
    await js.add_consumer(ORDERS.name, durable)
    for _ in range(3):
        await js.publish(subjects.order("la-piazza", str(uuid.uuid4()), "placed"), b"{}")
    await js.publish(subjects.dead_letter("serving", "ORDERS"), b"{}")
    await client.close()

    status = await survey(SystemUrls(nowhere, nowhere, nowhere, server.url, database=""))

    assert [each.state for each in status.services] == ["away"] * 3
    assert [(each.name, each.is_known) for each in status.stores if not each.is_known] == [
        ("postgresql", False),
        ("mongodb", False),
    ]
    assert [(each.name, each.messages, each.bytes_max) for each in status.streams or ()] == [
        ("DEAD_LETTERS", 1, 1_000_000),
        ("ORDERS", 3, 1_000_000),
    ]
    [consumer] = status.consumers
    assert (consumer.stream, consumer.name, consumer.behind) == ("ORDERS", "serving", 3)
    assert consumer.oldest_s is not None
    assert status.dead_letters == {"serving": 1}
    said = json.loads(as_json(status))
    assert "1 dead letter of serving" in said["wrong"]


@pytest.mark.servers
async def test_servers_that_do_not_answer_are_away() -> None:
    port = free_port()
    nowhere = f"http://{LOOPBACK}:{port}"
    database = f"postgresql+asyncpg://{LOOPBACK}:{port}/comanda"

    status = await survey(
        SystemUrls(nowhere, nowhere, nowhere, f"nats://{LOOPBACK}:{port}", database)
    )

    assert [each.name for each in status.stores if each.reason] == ["nats", "postgresql"]
    assert status.streams is None


@pytest.mark.servers
@pytest.mark.xdist_group("stack")
def test_a_stopped_service_is_found_and_named(stack: Stack) -> None:
    serving = stack.services["serving"]
    serving.stop()

    outcome = comanda("status", "--data", stack.folder)
    serving.start()
    serving.wait_until_ready()
    again = comanda("status", "--data", stack.folder, "--json")

    assert outcome.returncode == 1
    assert f"serving is away ({serving.url} can't be reached)" in outcome.stdout.splitlines()[-1]
    assert len(outcome.stdout.splitlines()) <= SCREEN_LINES
    found = json.loads(again.stdout)
    assert {each["state"] for each in found["services"]} <= {"ready", "degraded"}
    assert [each["reason"] for each in found["stores"]] == [""] * 3
    assert {each["name"] for each in found["streams"]} >= {each.name for each in ALL_STREAMS}
    assert found["outbox"]["parked"] == 0
