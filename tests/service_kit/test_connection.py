"""A connection to NATS through the loss of its server."""

import asyncio
import contextlib

import pytest
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.errors import Error
from service_kit.nats import jetstream
from service_kit.nats.jetstream import connected
from structlog.testing import capture_logs

from tests.conftest import NewNatsServer


@pytest.fixture
def server(new_nats_server: NewNatsServer) -> Nats:
    return new_nats_server()


async def is_connected(client: Client, wanted: bool) -> None:
    async with asyncio.timeout(60):
        while client.is_connected is not wanted:
            await asyncio.sleep(0.01)


async def test_a_server_that_stays_away_is_reported_once_in_a_while(server: Nats) -> None:
    with capture_logs() as logs:
        async with connected([server.url], "test") as client:
            await asyncio.to_thread(server.kill)
            await is_connected(client, False)
            await asyncio.sleep(2)  # in which the client tries several times
            away = [each["reason"] for each in logs if each["log_level"] == "warning"]
            await asyncio.to_thread(server.start)
            await is_connected(client, True)

    assert len(away) == len(set(away))
    assert any("Connect call failed" in reason for reason in away)
    assert [each["event"] for each in logs].count("nats is back") == 1


async def test_what_stays_wrong_is_reported_again_after_a_while(
    server: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jetstream, "REPORT_AGAIN_AFTER", 0.0)

    with capture_logs() as logs:
        async with connected([server.url], "test"), asyncio.timeout(60):
            await asyncio.to_thread(server.kill)
            while sum("Connect call failed" in str(each.get("reason")) for each in logs) < 3:
                await asyncio.sleep(0.01)


async def test_a_connection_can_be_left_while_its_server_is_away(server: Nats) -> None:
    for _ in range(5):
        async with connected([server.url], "test") as client:
            await client.subscribe("anything")
            await asyncio.to_thread(server.kill)
            with contextlib.suppress(Error):
                await client.publish("anything", b"something to send")
        await asyncio.to_thread(server.start)
