"""A replica of the API stays within its memory, however large the orders and many the readers."""

import asyncio
import contextlib
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import yaml
from comanda_contracts import Order
from comanda_local.ports import LOOPBACK, free_port
from comanda_local.processes import Child
from comanda_local.servers import Nats
from comanda_local.services import Service, environment
from query.storage.client import Database
from query.storage.generations import Generations
from query.storage.menus import MongoMenus
from query.storage.orders.store import MongoOrders
from query.views.menu import view_of

from tests.query.builders import LINE, a_restaurant, a_round, an_order, opened, placed
from tests.query.conftest import store
from tests.query.screen import watching
from tests.support.tokens import authorization, bearer

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "deploy/kubernetes/query/base/api.yaml"
RESTAURANTS = 2
FEEDS_OF_EACH = 499
"""With one of an order as many as one restaurant may have."""
ORDERS_OF_EACH = 6
CHANGES_OF_EACH = 2


PATIENT = """
from query.cli import app
from query.storage import client
from service_kit.http import protocol, sse

client.READ_TIMEOUT_S = 600.0
protocol.SEND_TIMEOUT_S = sse.SEND_TIMEOUT_S = 3600.0
app()
"""
"""The service, which leaves no reader, however long a busy machine takes to open all feeds."""


@pytest.fixture
async def api(fresh_mongodb_url: str, nats_server: Nats, tmp_path: Path) -> AsyncIterator[Service]:
    port = free_port()
    settings = {
        "COMANDA_MONGODB_URL": fresh_mongodb_url,
        "COMANDA_NATS_URL": nats_server.url,
        "COMANDA_HTTP_HOST": LOOPBACK,
        "COMANDA_HTTP_PORT": str(port),
        "COMANDA_FEEDS_PER_SUBJECT": "1000",  # as if several asked
    }
    service = Service("query", port, tmp_path, settings)
    patient = [sys.executable, "-P", "-c", PATIENT, "api"]
    service.process = Child("query", patient, tmp_path, env=environment(settings))
    with contextlib.ExitStack() as ends:
        ends.callback(service.kill)
        service.start()
        await asyncio.to_thread(service.wait_until_ready)
        yield service


async def test_a_thousand_feeds_of_the_largest_orders_fit_into_the_memory_of_the_manifest(
    api: Service, database: Database
) -> None:
    generations = Generations(database)
    orders, restaurants = MongoOrders(generations), [a_restaurant() for _ in range(RESTAURANTS)]
    changing = [a_largest_order(each) for each in restaurants]
    for restaurant, order in zip(restaurants, changing, strict=True):
        others = [a_largest_order(restaurant) for _ in range(ORDERS_OF_EACH - 1)]
        await MongoMenus(generations).merge_restaurants([view_of(opened(restaurant))])
        await store(orders, placed(order), *map(placed, others))

    async with contextlib.AsyncExitStack() as open_feeds:
        for restaurant in restaurants * FEEDS_OF_EACH:
            path = f"/v1/restaurants/{restaurant}/orders/live"
            open_feeds.callback((await reads_nothing_more(api, path)).close)
        assert await feeds_of_lists(api) == RESTAURANTS * FEEDS_OF_EACH
        for order in changing:
            path = f"/v1/restaurants/{order.restaurant}/orders/{order.order_id}/live"
            screen = await open_feeds.enter_async_context(watching(api.url, path))
            await screen.next()
            for version in range(2, 2 + CHANGES_OF_EACH):
                await store(orders, placed(order.model_copy(update={"version": version})))
                await screen.next()

        assert peak_bytes(api) < limit_bytes()


def a_largest_order(restaurant: str) -> Order:
    """An event of it has about as many bytes as a message may have."""
    lines = tuple(LINE.model_copy(update={"note": "x" * 4800}) for _ in range(200))
    return an_order(restaurant=restaurant, rounds=(a_round(1, lines=lines),))


async def reads_nothing_more(service: Service, path: str) -> socket.socket:
    """A client whose feed has begun, and that takes nothing of it but the status."""
    client, loop = socket.socket(), asyncio.get_running_loop()
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await loop.sock_connect(client, (LOOPBACK, service.port))
    head = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: {authorization()}\r\n\r\n"
    await loop.sock_sendall(client, head.encode())
    assert await loop.sock_recv(client, 12) == b"HTTP/1.1 200"
    return client


async def feeds_of_lists(service: Service) -> float:
    async with httpx.AsyncClient(trust_env=False, timeout=30, headers=bearer()) as client:
        text = (await client.get(f"{service.url}/metrics")).text
    [count] = re.findall(r'^comanda_query_live_readers\{feed="orders"\} (\S+)', text, re.MULTILINE)
    return float(count)


def peak_bytes(service: Service) -> int:
    """The most memory that the process has had."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


def limit_bytes() -> int:
    for document in yaml.safe_load_all(MANIFEST.read_text()):
        if document["kind"] == "Deployment":
            [container] = document["spec"]["template"]["spec"]["containers"]
            limit = container["resources"]["limits"]["memory"]
            return int(limit.removesuffix("Mi")) * 1024 * 1024
    raise AssertionError("no deployment")
