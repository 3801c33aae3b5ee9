"""The whole service on a real NATS and a real MongoDB, wired as in production."""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from comanda_contracts import Message, OrderStatus, TicketStatus, seal
from comanda_contracts.streams import DEAD_LETTERS, ORDERS, TICKETS
from comanda_local.ports import LOOPBACK, free_port
from comanda_local.servers import MongoDB, Nats
from nats.aio.client import Client
from service_kit.nats.jetstream import connected

from tests.query.builders import (
    after,
    an_order,
    closed,
    its_ticket,
    news_of,
    offered,
    opened,
    placed,
)
from tests.query.running import STREAMS, is_ok, left_over, publish, running_service, set_up
from tests.support.eventually import eventually
from tests.support.tokens import bearer


@pytest.fixture
async def nats(nats_server: Nats) -> AsyncIterator[Client]:
    async with connected([nats_server.url], "test") as client:
        yield client


async def answer(
    query: httpx.AsyncClient, path: str, enough: Callable[[httpx.Response], bool]
) -> httpx.Response:
    """The answer to a question once it is `enough`."""
    return await eventually(lambda: query.get(path), enough)


async def test_what_is_published_is_shown(
    nats: Client, nats_server: Nats, fresh_mongodb_url: str, restaurant: str
) -> None:
    await set_up(nats, *STREAMS)
    order = an_order(restaurant=restaurant)
    venue = f"/v1/restaurants/{restaurant}"

    async with running_service(nats_server.url, fresh_mongodb_url) as query:
        await publish(
            nats,
            news_of(its_ticket(order, status=TicketStatus.READY)),
            placed(order),
            opened(restaurant),
            offered(restaurant, "tea"),
        )

        shown = await answer(
            query,
            f"{venue}/orders/{order.order_id}",
            lambda response: is_ok(response) and response.json()["status"] == "ready",
        )
        menu = await answer(
            query,
            f"{venue}/menu",
            lambda response: is_ok(response) and bool(response.json()["items"]),
        )

    assert [each["event"] for each in shown.json()["timeline"]] == ["placed", "ready"]
    assert menu.json()["restaurant"]["name"] == "La Piazza"


async def test_what_is_sold_is_summed_up(
    nats: Client, nats_server: Nats, fresh_mongodb_url: str, restaurant: str
) -> None:
    await set_up(nats, *STREAMS)
    order = an_order(restaurant=restaurant)
    ready = its_ticket(order, status=TicketStatus.READY, ready_at=after(90))
    report = f"/v1/restaurants/{restaurant}/sales?from=2026-11-23&to=2026-11-23"

    async with running_service(nats_server.url, fresh_mongodb_url) as query:
        await publish(nats, placed(order), news_of(ready), opened(restaurant))

        sales = await answer(
            query,
            report,
            lambda response: (
                is_ok(response) and response.json()["totals"]["waiting"]["ready"]["count"] == 1
            ),
        )

    assert (sales.json()["totals"]["revenue"], sales.json()["totals"]["orders"]) == (1700, 1)


async def test_a_backlog_is_caught_up_with(
    nats: Client, nats_server: Nats, fresh_mongodb_url: str, restaurant: str
) -> None:
    await set_up(nats, *STREAMS)
    backlog = [an_order(restaurant=restaurant, placed_at=after(n)) for n in range(700)]
    await publish(nats, *map(placed, backlog), *map(closed, backlog))

    async with running_service(nats_server.url, fresh_mongodb_url) as query:
        listed = await answer(
            query,
            f"/v1/restaurants/{restaurant}/orders?active=false&limit=500",
            lambda response: is_ok(response) and len(response.json()["orders"]) == 500,
        )
        assert listed.json()["orders"][0]["version"] == 2
        await eventually(lambda: left_over(nats, ORDERS), lambda left: left == 0)
        metrics = (await query.get("/metrics")).text

    assert 'comanda_query_events_projected_total{stream="ORDERS"}' in metrics
    assert 'comanda_query_projection_lag_seconds_count{stream="ORDERS"}' in metrics


async def test_what_cannot_be_read_or_stored_is_set_aside_and_holds_nothing_up(
    nats: Client, nats_server: Nats, fresh_mongodb_url: str, restaurant: str
) -> None:
    await set_up(nats, *STREAMS, DEAD_LETTERS)
    order = an_order(restaurant=restaurant)
    good = seal(placed(order), event_id=uuid.uuid4())
    headers = {**good.headers, "Nats-Msg-Id": str(uuid.uuid4())}
    garbled = Message(good.subject, headers, b'{"order": ')
    endless = placed(an_order(restaurant=restaurant, guests=2**64))
    timeless = placed(an_order(restaurant=restaurant, placed_at="0001-01-01T00:00:00+14:00"))

    await publish(nats, garbled, endless, timeless, good)

    async with running_service(nats_server.url, fresh_mongodb_url) as query:
        await answer(query, f"/v1/restaurants/{restaurant}/orders/{order.order_id}", is_ok)
        await eventually(lambda: left_over(nats, ORDERS), lambda left: left == 0)
    letters = [await nats.jetstream().get_msg("DEAD_LETTERS", number) for number in (1, 2, 3)]
    reasons = " ".join((letter.headers or {})["Comanda-Reason"] for letter in letters)
    assert {letter.data for letter in letters} == {
        garbled.body,
        endless.model_dump_json().encode(),
        timeless.model_dump_json().encode(),
    }
    assert "Invalid JSON" in reasons
    assert "8-byte" in reasons
    assert "out of range" in reasons


async def test_a_stream_that_is_missing_stops_no_other(
    nats: Client, nats_server: Nats, fresh_mongodb_url: str, restaurant: str
) -> None:
    await set_up(nats, ORDERS)
    order = an_order(restaurant=restaurant)
    path = f"/v1/restaurants/{restaurant}/orders/{order.order_id}"

    async with running_service(nats_server.url, fresh_mongodb_url) as query:
        await publish(nats, placed(order))
        assert (await answer(query, path, is_ok)).json()["status"] == "placed"
        readiness = await answer(query, "/health/ready", is_ok)
        assert readiness.json()["components"]["projector-orders"] == "ready"
        assert readiness.json()["components"]["projector-tickets"] != "ready"

        await set_up(nats, TICKETS)
        await publish(nats, news_of(its_ticket(order, status=TicketStatus.PREPARING)))
        await answer(query, path, lambda response: response.json()["status"] == "preparing")


async def test_a_killed_nats_server_costs_nothing_that_it_acknowledged(
    nats_server: Nats, fresh_mongodb_url: str, restaurant: str
) -> None:
    before, during = an_order(restaurant=restaurant), an_order(restaurant=restaurant)
    venue = f"/v1/restaurants/{restaurant}/orders"

    async with running_service(nats_server.url, fresh_mongodb_url) as query:
        async with connected([nats_server.url], "test") as client:
            await set_up(client, *STREAMS)
            await publish(client, placed(before))
            await answer(query, f"{venue}/{before.order_id}", is_ok)
        await asyncio.to_thread(nats_server.kill)
        assert is_ok(await query.get(f"{venue}/{before.order_id}"))
        await asyncio.to_thread(nats_server.start)
        async with connected([nats_server.url], "test") as client:
            await publish(client, placed(during))
        await answer(query, f"{venue}/{during.order_id}", is_ok)


async def test_what_came_while_mongodb_was_away_is_shown_when_it_is_back(
    nats: Client, nats_server: Nats, own_mongodb: MongoDB, restaurant: str
) -> None:
    await set_up(nats, *STREAMS)
    before, during = an_order(restaurant=restaurant), an_order(restaurant=restaurant)
    venue = f"/v1/restaurants/{restaurant}/orders"

    async with running_service(nats_server.url, own_mongodb.url) as query:
        await publish(nats, placed(before))
        await answer(query, f"{venue}/{before.order_id}", is_ok)
        await answer(query, "/health/ready", is_ok)
        await asyncio.to_thread(own_mongodb.kill)

        await publish(nats, placed(during), closed(before))
        away = await query.get(f"{venue}/{during.order_id}?min_version=1")
        assert (away.status_code, away.json()["code"]) == (503, "store-unavailable")
        await answer(query, "/health/ready", lambda response: response.status_code == 503)
        await asyncio.to_thread(own_mongodb.start)

        shown = await answer(query, f"{venue}/{during.order_id}?min_version=1", is_ok)
        assert shown.json()["version"] == 1
        ended = await answer(query, f"{venue}/{before.order_id}?min_version=2", is_ok)
        assert ended.json()["status"] == OrderStatus.CLOSED
        await answer(query, "/health/ready", is_ok)


async def test_the_process_serves_until_it_is_told_to_stop(
    nats_server: Nats, fresh_mongodb_url: str, tmp_path: Path
) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "COMANDA_NATS_URL": nats_server.url,
        "COMANDA_MONGODB_URL": fresh_mongodb_url,
        "COMANDA_HTTP_HOST": LOOPBACK,
        "COMANDA_HTTP_PORT": str(port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "query", env=environment, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with httpx.AsyncClient(
            base_url=f"http://{LOOPBACK}:{port}", headers=bearer()
        ) as query:
            await eventually(lambda: readiness(query), lambda status: status == 200)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert b"Traceback" not in output


async def readiness(query: httpx.AsyncClient) -> int:
    """The status of the probe, 0 while nothing listens."""
    try:
        return (await query.get("/health/ready")).status_code
    except httpx.TransportError:
        return 0


@pytest.mark.servers
async def test_a_missing_setting_is_named(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COMANDA_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "query", env=environment, cwd=tmp_path, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()

    assert process.returncode == 2
    assert b"COMANDA_MONGODB_URL" in errors
