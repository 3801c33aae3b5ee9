"""Serving is ready while a leader of its stream answers and there is room in it."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from comanda_contracts.streams import TICKETS
from comanda_local.folders import temporary_folder
from comanda_local.servers import Nats
from service_kit.nats.jetstream import connected
from service_kit.runtime.components import READY

from tests.conftest import NewNatsServer
from tests.serving.builders import a_ticket
from tests.serving.cluster import Node, new_cluster
from tests.serving.running import NewService, set_up
from tests.serving.test_kitchen_queues import add
from tests.support.eventually import eventually
from tests.support.small_nats import fill, make_room
from tests.support.tokens import bearer

pytestmark = pytest.mark.servers

LEADERS_ASKED = ("TICKETS", "KV_serving")
"""Each is on a node of its own choice: who is cut off together with one still hears from it."""


async def becomes(http: httpx.AsyncClient, status: int, *failing: str) -> dict[str, str]:
    """The states of the components, once the probe is answered so and all of these are failing."""

    async def told() -> dict[str, str] | None:
        with contextlib.suppress(httpx.TransportError):
            answer = await http.get("/health/ready")
            states: dict[str, str] = answer.json()["components"]
            is_told = all(states[each] != READY for each in failing)
            return states if answer.status_code == status and is_told else None
        return None

    return await eventually(told)


async def test_it_is_not_ready_while_jetstream_is_full(
    small_nats: Nats, new_service: NewService
) -> None:
    await set_up(small_nats.url)
    service = new_service(small_nats.url)
    async with (
        httpx.AsyncClient(base_url=service.url, timeout=60, headers=bearer()) as http,
        connected([small_nats.url], "test") as client,
    ):
        await becomes(http, 200)
        await fill(client.jetstream())
        states = await becomes(http, 503, "room")
        metrics = (await http.get("/metrics")).text
        await make_room(client.jetstream())
        await becomes(http, 200)

    assert states["room"] == "JetStream is full: insufficient resources"
    assert 'comanda_component_ready{component="room",required="true"} 0.0' in metrics


async def test_it_is_degraded_as_its_stream_fills_and_not_ready_once_it_is_full(
    new_nats_server: NewNatsServer, new_service: NewService
) -> None:
    nats = new_nats_server()
    await set_up(nats.url)
    service = new_service(nats.url)
    async with (
        httpx.AsyncClient(base_url=service.url, timeout=60, headers=bearer()) as http,
        connected([nats.url], "test") as client,
    ):
        await becomes(http, 200)
        await add(client, *(a_ticket() for _ in range(5)))
        js = client.jetstream()
        info = await js.stream_info(TICKETS.name)
        await js.update_stream(info.config.evolve(max_bytes=int(info.state.bytes / 0.81)))
        crowded = await becomes(http, 200, "fill")
        await js.update_stream(info.config.evolve(max_bytes=info.state.bytes + 10))
        states = await becomes(http, 503, "room")
        await js.update_stream(info.config.evolve(max_bytes=-1))
        await becomes(http, 200)

    assert crowded["fill"] == "TICKETS holds 81% of its bytes"
    assert crowded["room"] == READY
    assert states["room"].startswith("TICKETS is full: 5 messages")


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    with temporary_folder() as folder, contextlib.ExitStack() as ends:
        nodes = new_cluster(Path(folder))
        for node in nodes:
            ends.callback(node.process.stop)
        yield nodes


async def test_on_a_node_that_is_cut_off_from_its_cluster_it_is_not_ready(
    nodes: list[Node], new_service: NewService
) -> None:
    """The others are killed; whichever leader is missed first, the words are the same.

    A leader on the node itself answers on, but can't store anything any more.
    """
    mine, *others = nodes

    async def is_set_up() -> bool:
        with contextlib.suppress(Exception):  # until the nodes have agreed on a leader
            await set_up(mine.url, replicas=3)
            return True
        return False

    await eventually(is_set_up)
    service = new_service(mine.url)
    async with httpx.AsyncClient(base_url=service.url, timeout=60, headers=bearer()) as http:
        await becomes(http, 200)
        for node in others:
            await asyncio.to_thread(node.process.kill)
        states = await becomes(http, 503, "room")
        for node in others:
            await asyncio.to_thread(node.process.start)
        await becomes(http, 200)

    silent = {f"LeaderSilent: no word from the leader of {each}" for each in LEADERS_ASKED}
    assert states["room"] in silent
    assert states["queue"] in {READY, *silent}
