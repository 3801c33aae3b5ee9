"""A broker's connection to servers that are lost in ways that nats-py alone does not survive."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from comanda_contracts.streams import MENU
from comanda_local.servers import Nats
from service_kit.nats import broker as broker_module
from service_kit.nats import closing
from service_kit.nats.broker import Broker, running
from service_kit.nats.router import Router
from service_kit.nats.set_up import set_up
from service_kit.runtime.components import Component
from service_kit.runtime.components import running as running_components

from tests.support.eventually import eventually

INFO = (
    b"INFO %b\r\n"
    % json.dumps(
        {"server_id": "fake", "version": "2.12.0", "max_payload": 1_048_576, "headers": True}
    ).encode()
)
A_LOT_BYTES = 64 * 1_048_576
"""More than the buffers of both ends hold together."""

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a server says that has nothing to tell."""
    while line := await reader.readline():
        if line == b"PING\r\n":
            writer.write(b"PONG\r\n")


async def freeze(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let the client in, then take and say nothing more, as a machine that has stopped."""
    while await reader.readline() != b"PING\r\n":
        pass
    writer.write(b"PONG\r\n")
    await asyncio.Event().wait()


async def turn_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say something else before the error, so that the client takes itself for connected."""
    while await reader.readline() != b"PING\r\n":
        pass
    writer.write(INFO)
    await writer.drain()
    writer.write(b"-ERR 'maximum connections exceeded'\r\n")


class FakeNats:
    """Has the first connection go as it is told, and the ones after it as they should."""

    def __init__(self, first: Conversation) -> None:
        self.connections = 0
        self._first = first

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Yields its URL."""
        conversations = set[asyncio.Task[None] | None]()

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            conversations.add(asyncio.current_task())
            self.connections += 1
            is_first = self.connections == 1
            writer.write(INFO)
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await (self._first if is_first else answer)(reader, writer)

        server = await asyncio.start_server(converse, "127.0.0.1", 0)
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()
        for each in filter(None, conversations):
            each.cancel()

    async def has_come_back(self) -> None:
        async def look() -> bool:
            return self.connections > 1

        await eventually(look)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module, "PING_INTERVAL_S", 0.1)
    monkeypatch.setattr(broker_module, "START_AGAIN_AFTER_S", 0.1)
    monkeypatch.setattr(closing, "CLOSE_TIMEOUT_S", 0.1)


async def send_a_lot(broker: Broker) -> None:
    client = await broker.client()
    for _ in range(A_LOT_BYTES // client.max_payload):
        await client.publish("anything", bytes(client.max_payload))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("sends", [False, True])
async def test_a_server_that_has_frozen_is_left(sends: bool) -> None:
    server = FakeNats(freeze)
    async with server.listening() as url:
        broker = Broker([url], "test")
        async with running(broker):
            await broker.client()
            sending = asyncio.create_task(send_a_lot(broker)) if sends else None
            await server.has_come_back()
            if sending:
                sending.cancel()


async def test_a_broker_ends_though_nobody_takes_what_it_has_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(closing, "CLOSE_TIMEOUT_S", 0.1)

    async with FakeNats(freeze).listening() as url, asyncio.timeout(60):
        broker = Broker([url], "test")
        async with running(broker):
            sending = asyncio.create_task(send_a_lot(broker))
            client = await broker.client()

            async def is_stuck() -> bool:
                writer = closing._writer(client)
                return writer is not None and writer.transport.get_write_buffer_size() > 0

            await eventually(is_stuck)
        sending.cancel()


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_turns_away_who_took_himself_for_connected_is_asked_again() -> None:
    server = FakeNats(turn_away)
    async with server.listening() as url, running(Broker([url], "test")):
        await server.has_come_back()


@pytest.mark.usefixtures("impatient")
async def test_reconnecting_that_ends_by_an_error_of_the_event_loop_begins_anew(
    nats_server: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:  # as uvloop does, if a server resets the connection at once
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>")

    broker = Broker([nats_server.url], "test")
    async with running(broker):
        client = await broker.client()
        monkeypatch.setattr(client, "_process_connect_init", fail)
        await client.force_reconnect()

        async def is_another() -> bool:
            with contextlib.suppress(Exception):
                return broker.connection is not client and broker.connection.is_connected
            return False

        await eventually(is_another)


async def test_what_consumes_is_not_ready_while_a_closed_connection_is_made_anew(
    nats_server: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "START_AGAIN_AFTER_S", 3600.0)
    router = Router()

    @router.batch_subscriber(MENU, durable="lost", filter_subjects=[MENU.subject])
    async def handle(batch: object) -> None: ...

    broker = Broker([nats_server.url], "test", [router])
    await set_up(broker, [nats_server.url], streams=[MENU], replicas=1)
    component = Component("menu", broker.watching(MENU, "lost"))

    async def is_ready() -> bool:
        return component.ready

    async def says_why() -> bool:
        return component.state == "waiting for NATS"

    async with running(broker), running_components([component]):
        await eventually(is_ready)
        await (await broker.client()).close()
        await eventually(says_why)
