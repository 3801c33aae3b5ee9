"""Ordering takes orders while PostgreSQL takes writes, and says what else is not there."""

import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from comanda_contracts.streams import MENU, TICKETS
from comanda_local.folders import temporary_folder
from comanda_local.servers import Nats
from ordering.bootstrap import bootstrap, set_up_messaging
from ordering.settings import Settings
from pydantic import SecretStr
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_stream
from sqlalchemy import text

from tests.ordering.conftest import Database
from tests.support.eventually import eventually
from tests.support.small_nats import SmallNats, fill, make_room
from tests.support.tokens import bearer

pytestmark = pytest.mark.servers

HERE = "/v1/restaurants/la-piazza"
VENUE = {"name": "La Piazza", "currency": "EUR", "time_zone": "Europe/Rome"}
TEA = {"name": "Tea", "category": "Drinks", "price": 300}
AN_ORDER = {
    "channel": "takeaway",
    "customer": "Ada",
    "lines": [{"sku": "tea", "quantity": 1}],
}
OLDEST = re.compile(r"^comanda_ordering_outbox_oldest_seconds (\S+)$", re.MULTILINE)


@pytest.fixture
def nats() -> Iterator[Nats]:
    with temporary_folder() as folder:
        server = SmallNats(Path(folder))
        server.start()
        yield server
        server.stop()


@contextlib.asynccontextmanager
async def ordering(database: Database, nats: Nats, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service as it is run, with its streams and a menu; nothing is wrong yet."""
    settings = Settings(database_url=SecretStr(database.url), nats_url=SecretStr(nats.url), **more)
    async with connected([nats.url], "test") as client:
        await set_up_stream(client.jetstream(), TICKETS, replicas=1)
    await set_up_messaging(settings)
    app = bootstrap(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://ordering", timeout=60, headers=bearer()
        ) as http,
    ):
        await http.put(HERE, json=VENUE)
        await http.put(f"{HERE}/menu/tea", json=TEA)
        await becomes(http, "ready")
        yield http


async def becomes(
    http: httpx.AsyncClient, status: str, holds: Callable[[dict[str, str]], bool] = lambda _: True
) -> dict[str, str]:
    """The states of the components, once the service has this status and they fulfil `holds`."""

    async def told() -> dict[str, str] | None:
        answer = (await http.get("/health/ready")).json()
        components: dict[str, str] = answer["components"]
        return components if answer["status"] == status and holds(components) else None

    return await eventually(told)


async def test_without_nats_it_is_degraded_takes_orders_and_says_why(
    database: Database, nats: Nats
) -> None:
    async with ordering(database, nats) as http:
        nats.kill()
        placed = await http.post(f"{HERE}/orders", json=AN_ORDER)
        states = await becomes(http, "degraded", lambda each: each["relay"] != "ready")
        health = await http.get("/health/ready")
        metrics = (await http.get("/metrics")).text
        nats.start()
        await becomes(http, "ready")

    assert (placed.status_code, health.status_code) == (201, 200)
    assert (states["database"], states["outbox"]) == ("ready", "ready")
    assert 'comanda_component_ready{component="relay",required="false"} 0.0' in metrics
    assert 'comanda_component_ready{component="database",required="true"} 1.0' in metrics


async def test_with_jetstream_full_it_is_degraded_takes_orders_and_relays_them_later(
    database: Database, nats: Nats
) -> None:
    waiting = "SELECT count(*) FROM outbox WHERE sequence IS NULL"

    async def none_waits() -> bool:
        return await database.rows(waiting) == [(0,)]

    async with ordering(database, nats) as http, connected([nats.url], "test") as client:
        await eventually(none_waits)  # of the restaurant and its menu
        await fill(client.jetstream())
        placed = await http.post(f"{HERE}/orders", json=AN_ORDER)
        states = await becomes(http, "degraded", lambda each: each["relay"] != "ready")
        left = await database.rows(waiting)
        await make_room(client.jetstream())
        await becomes(http, "ready")

        assert placed.status_code == 201
        assert "insufficient resources" in states["relay"]
        assert left == [(1,)]
        await eventually(none_waits)


async def test_it_is_not_ready_once_an_event_has_waited_too_long(
    database: Database, nats: Nats
) -> None:
    async with ordering(database, nats, outbox_within=0.5) as http:
        nats.kill()
        placed = await http.post(f"{HERE}/orders", json=AN_ORDER)
        states = await becomes(http, "not ready")
        metrics = (await http.get("/metrics")).text
        nats.start()
        await becomes(http, "ready")

    assert placed.status_code == 201
    assert "has waited" in states["outbox"]
    assert "comanda_ordering_outbox_oldest_seconds" in metrics


async def test_it_takes_orders_however_long_a_change_of_the_menu_waits(
    database: Database, nats: Nats
) -> None:
    async with (
        ordering(database, nats, outbox_within=0.01) as http,
        connected([nats.url], "test") as client,
    ):
        await client.jetstream().delete_stream(MENU.name)
        await http.put(f"{HERE}/menu/tea", json=TEA | {"price": 400})

        async def oldest_s() -> float:
            metrics = (await http.get("/metrics")).text
            return float(OLDEST.search(metrics)[1])  # type: ignore[index]

        await eventually(oldest_s, lambda waited_s: waited_s > 0.01)
        states = await becomes(http, "degraded", lambda each: each["relay"] != "ready")

    assert states["outbox"] == "ready"


async def test_it_is_degraded_while_the_orders_that_are_kept_are_nearly_those_that_fit(
    database: Database, nats: Nats
) -> None:
    """Two events for each of two orders: four placements are as many."""
    async with (
        ordering(database, nats, orders_kept_max=2) as http,
        connected([nats.url], "test") as client,
    ):
        for _ in range(4):
            assert (await http.post(f"{HERE}/orders", json=AN_ORDER)).status_code == 201
        states = await becomes(http, "degraded", lambda each: each["fill"] != "ready")
        await becomes(http, "degraded", lambda each: "100%" in each["fill"])
        metrics = (await http.get("/metrics")).text
        async with database.engine.begin() as connection:
            await connection.execute(text("DELETE FROM outbox"))  # else it has them published again
        await client.jetstream().purge_stream("ORDERS")
        await becomes(http, "ready")

    assert states["fill"].startswith("ORDERS holds ")
    assert 'comanda_stream_fill_ratio{of="orders",stream="ORDERS"} 1.0' in metrics
