"""Setting up undoes nothing that an operator has set."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from comanda_contracts import subjects
from comanda_contracts.streams import (
    ACCESS,
    ALL_STREAMS,
    COMMANDS,
    DEAD_LETTERS,
    MENU,
    MESSAGE_BYTES_MAX,
    Stream,
)
from comanda_local.ports import LOOPBACK, free_port
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.js import JetStreamContext, api
from nats.js.errors import ServiceUnavailableError
from pydantic import SecretStr, ValidationError
from service_kit.nats import set_up as setting_up
from service_kit.nats.broker import Broker
from service_kit.nats.jetstream import ServerTooOld, connected
from service_kit.nats.set_up import (
    CannotSetUp,
    Limits,
    run_set_up,
    set_up,
    set_up_consumer,
    set_up_stream,
)
from service_kit.runtime.settings import ServiceSettings, load

from tests.conftest import NewNatsServer

OPERATORS = {
    "description": "on the cheap disks",
    "max_bytes": 50_000_000,
    "max_age": 86_400.0,
    "max_msg_size": 500_000,
    "duplicate_window": 60.0,
    "allow_rollup_hdrs": True,
    "compression": api.StoreCompression.S2,
    "metadata": {"team": "platform"},
    "discard": api.DiscardPolicy.OLD,
}
"""Settings of a stream that no service needs, as an operator might want them."""


@pytest.fixture
def nats_server(new_nats_server: NewNatsServer) -> Nats:
    return new_nats_server()


@pytest.fixture
async def client(nats_server: Nats) -> AsyncIterator[Client]:
    async with connected([nats_server.url], "test") as client:
        yield client


async def settings(client: Client, subject: str) -> dict[str, Any]:
    """The configuration that the server tells of, every field of it but the server's own notes."""
    reply = await client.request(f"$JS.API.{subject}", b"", timeout=5)
    config: dict[str, Any] = json.loads(reply.data)["config"]
    metadata = config.pop("metadata", {})
    return config | {k: v for k, v in metadata.items() if not k.startswith("_nats.")}


@pytest.mark.parametrize(
    ("stream", "limit"),
    [(MENU, MESSAGE_BYTES_MAX), (COMMANDS, MESSAGE_BYTES_MAX), (DEAD_LETTERS, -1)],
)
async def test_a_new_stream_takes_what_a_dead_letter_can_hold(
    client: Client, stream: Stream, limit: int
) -> None:
    await set_up_stream(client.jetstream(), stream, replicas=1)

    config = await settings(client, f"STREAM.INFO.{stream.name}")
    assert config["max_msg_size"] == limit


async def test_a_stream_keeps_what_an_operator_has_set(client: Client) -> None:
    js = client.jetstream()
    await set_up_stream(js, MENU, replicas=1)
    found = (await js.stream_info(MENU.name)).config
    await js.update_stream(found.evolve(**OPERATORS))
    before = await settings(client, f"STREAM.INFO.{MENU.name}")

    await set_up_stream(js, MENU, replicas=1)

    assert await settings(client, f"STREAM.INFO.{MENU.name}") == before


async def test_a_stream_that_lacks_what_services_need_is_given_that_and_keeps_the_rest(
    client: Client,
) -> None:
    js = client.jetstream()
    await js.add_stream(api.StreamConfig(name=MENU.name, subjects=["menu.v1.*.*.*"], **OPERATORS))  # type: ignore[arg-type]
    before = await settings(client, f"STREAM.INFO.{MENU.name}")

    await set_up_stream(js, MENU, replicas=1)

    needed = {"subjects": [MENU.subject], "allow_direct": True, "allow_atomic": True}
    assert await settings(client, f"STREAM.INFO.{MENU.name}") == before | needed


async def test_limits_that_are_given_are_applied_and_the_others_stay(client: Client) -> None:
    js = client.jetstream()
    theirs = api.StreamConfig(name=MENU.name, subjects=[MENU.subject], **OPERATORS)  # type: ignore[arg-type]
    await js.add_stream(theirs)
    limits = Limits(max_bytes={MENU.name: 10_000_000, "ORDERS": 1})

    await set_up_stream(js, MENU, replicas=1, limits=limits)

    found = (await js.stream_info(MENU.name)).config
    assert found.max_bytes == 10_000_000
    assert (found.max_age, found.description) == (86_400.0, "on the cheap disks")


@pytest.mark.parametrize("stream", ALL_STREAMS, ids=lambda stream: stream.name)
async def test_a_new_stream_has_the_limits_that_are_given(client: Client, stream: Stream) -> None:
    js = client.jetstream()
    limits = Limits(max_bytes={stream.name: 1_000_000}, max_age_s={stream.name: 3_600})

    await set_up_stream(js, stream, replicas=1, limits=limits)

    found = (await js.stream_info(stream.name)).config
    assert (found.max_bytes, found.max_age) == (1_000_000, 3_600)


async def test_a_newer_withdrawal_takes_the_place_of_the_one_before(client: Client) -> None:
    js = client.jetstream()
    await set_up_stream(js, ACCESS, replicas=1)
    of_luigi, of_gina = (subjects.access("la-piazza", each, "withdrawn") for each in ("l", "g"))

    for subject, body in ((of_luigi, b"1"), (of_gina, b"2"), (of_luigi, b"3")):
        await js.publish(subject, body)

    state = (await js.stream_info(ACCESS.name)).state
    kept = [await js.get_last_msg(ACCESS.name, each) for each in (of_luigi, of_gina)]
    assert (state.messages, [each.data for each in kept]) == (2, [b"3", b"2"])


async def test_withdrawals_commands_and_dead_letters_leave_in_time_and_the_rest_stays(
    client: Client,
) -> None:
    js = client.jetstream()
    for stream in ALL_STREAMS:
        await set_up_stream(js, stream, replicas=1)

    infos = await js.streams_info()

    assert {each.config.name: each.config.max_age for each in infos if each.config.max_age} == {
        "ACCESS": 32 * 86_400,
        "COMMANDS": 86_400,
        "DEAD_LETTERS": 90 * 86_400,
    }


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ("ORDERS", "pattern"),
        ("ORDERS=1,", "pattern"),
        ("ORDER=1", "no stream ORDER"),
        ("ORDERS=0", "pattern"),
    ],
)
def test_a_limit_names_a_stream_and_a_number(limits: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        ServiceSettings(nats_url=SecretStr("nats://a"), stream_max_bytes=limits)


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMANDA_NATS_URL", "nats://a")
    monkeypatch.setenv("COMANDA_STREAM_MAX_BYTES", "ORDERS=40000000000,MENU=5")
    monkeypatch.setenv("COMANDA_STREAM_MAX_AGE_S", "DEAD_LETTERS=3600")

    assert Limits.of(load(ServiceSettings)) == Limits(
        {"ORDERS": 40_000_000_000, "MENU": 5}, {"DEAD_LETTERS": 3600}, 30 * 86_400
    )


@pytest.mark.parametrize(
    ("ages", "reason"),
    [
        ("ACCESS=3600", "withdrawals for 2764800 s"),
        ("MENU=86400", "MENU says what there is now"),
        ("RESTAURANTS=86400", "RESTAURANTS says"),
    ],
)
def test_no_age_drops_what_nothing_else_says_again(ages: str, reason: str) -> None:
    settings = ServiceSettings(nats_url=SecretStr("nats://a"), stream_max_age_s=ages)

    with pytest.raises(CannotSetUp, match=reason):
        Limits.of(settings)


async def old_server(version: str) -> asyncio.Server:
    """Something that greets as a NATS server of this version, and answers pings."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "x", "version": version, "proto": 1, "max_payload": 1_048_576}
        writer.write(f"INFO {json.dumps(info | {'headers': True})}\r\n".encode())
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    return await asyncio.start_server(greet, LOOPBACK, 0)


async def test_a_server_that_is_too_old_is_named_by_set_up_and_by_what_runs() -> None:
    async with await old_server("2.10.22") as server:
        url = f"nats://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
        broker = Broker([url], "test")

        with pytest.raises(ServerTooOld, match=r"NATS 2\.10\.22 is too old: 2\.12 or newer"):
            await set_up(broker, [url], streams=[MENU], replicas=1)
        with pytest.raises(ServerTooOld, match=r"2\.10\.22"):
            await broker.start()
        await broker.stop()
        server.close()


async def test_a_durable_keeps_what_an_operator_has_set_and_gets_a_new_filter(
    client: Client,
) -> None:
    js = client.jetstream()
    await set_up_stream(js, MENU, replicas=1)
    await set_up_consumer(js, MENU.name, "test", ["menu.v1.*.*.item-set"])
    found = (await js.consumer_info(MENU.name, "test")).config
    theirs = replace(
        found, ack_wait=90.0, max_ack_pending=500, description="slow disks", inactive_threshold=None
    )
    await js.add_consumer(MENU.name, theirs)
    before = await settings(client, f"CONSUMER.INFO.{MENU.name}.test")

    await set_up_consumer(js, MENU.name, "test", [MENU.subject])

    after = await settings(client, f"CONSUMER.INFO.{MENU.name}.test")
    one_filter = {"filter_subject", "filter_subjects"}
    assert {k: v for k, v in after.items() if k not in one_filter} == {
        k: v for k, v in before.items() if k not in one_filter
    }
    assert MENU.subject in (after.get("filter_subject"), *after.get("filter_subjects", []))


async def test_what_jetstream_refuses_is_told_in_a_line(nats_server: Nats) -> None:
    """Three copies on one server."""
    broker = Broker([nats_server.url], "test")

    with pytest.raises(CannotSetUp, match=r"^stream MENU: .*replicas") as refused:
        await set_up(broker, [nats_server.url], streams=[MENU], replicas=3)

    assert "\n" not in str(refused.value)


async def test_servers_that_can_not_do_it_yet_are_waited_for(nats_server: Nats) -> None:
    outcomes = [ServiceUnavailableError(code=503, description="no leader"), None]

    async def step(_: JetStreamContext) -> None:
        if error := outcomes.pop(0):
            raise error

    broker = Broker([nats_server.url], "test")

    await set_up(broker, [nats_server.url], streams=[], replicas=1, steps=[step])

    assert outcomes == []


async def test_servers_that_stay_away_are_named_after_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(setting_up, "WITHIN_S", 0.05)
    url = f"nats://{LOOPBACK}:{free_port()}"

    with pytest.raises(TimeoutError, match=r"^NATS: not there within 0 s"):
        await set_up(Broker([url], "test"), [url], streams=[MENU], replicas=1)


@pytest.mark.parametrize("error", [TimeoutError("away"), CannotSetUp("no"), ServerTooOld("2")])
def test_a_set_up_that_fails_ends_the_process_with_a_line(error: Exception) -> None:
    async def step() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        run_set_up(step())

    assert ended.value.code == str(error)
