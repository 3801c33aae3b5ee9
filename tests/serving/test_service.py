"""The service as it is run: a process of its own, on a real NATS."""

import asyncio
import contextlib
from collections.abc import Callable

import comanda_contracts as contracts
import httpx
from comanda_local.servers import Nats
from nats.aio.client import Client
from serving.bootstrap import set_up as set_up_serving

from tests.serving.running import (
    Kitchen,
    NewService,
    all_events,
    set_up,
    settings_for,
    ticket_path,
)
from tests.support.eventually import eventually
from tests.support.tokens import bearer


async def test_an_order_goes_the_whole_way_through_the_kitchen(kitchen: Kitchen) -> None:
    order = await kitchen.order()
    await kitchen.is_queued(order)
    await eventually(lambda: _shows(kitchen, order))

    answers = [await kitchen.command(order, each) for each in ("start", "ready", "serve")]

    statuses = [answer.json()["status"] for answer in answers]
    assert statuses == ["preparing", "ready", "served"]
    await eventually(lambda: _is_empty(kitchen))
    events = [
        message.subject.rpartition(".")[2]
        for message in await all_events(kitchen.client.jetstream())
    ]
    assert events == ["queued", "started", "ready", "served"]


async def _shows(kitchen: Kitchen, order: contracts.Order) -> bool:
    return await kitchen.queue() == [str(order.order_id)]


async def _is_empty(kitchen: Kitchen) -> bool:
    return await kitchen.queue() == []


async def test_a_request_hands_its_trace_on_to_its_event(kitchen: Kitchen) -> None:
    order = await kitchen.order()
    await kitchen.is_queued(order)
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}

    await kitchen.http.post(f"{ticket_path(order)}/start", headers=trace)

    started = (await all_events(kitchen.client.jetstream()))[-1]
    assert started.headers["traceparent"] == trace["traceparent"]


async def test_of_many_cooks_on_two_replicas_exactly_one_starts_a_round(
    kitchen: Kitchen, new_service: NewService
) -> None:
    other = new_service(kitchen.nats.url)
    await asyncio.to_thread(other.wait_until_ready)
    order = await kitchen.order()
    await kitchen.is_queued(order)

    async with httpx.AsyncClient(timeout=60, headers=bearer()) as http:
        urls = [
            f"{replica}{ticket_path(order)}/start" for replica in (kitchen.http.base_url, other.url)
        ]
        answers = await asyncio.gather(*(http.post(url) for url in urls * 5))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [409] * 9
    assert {a.json()["ticket"]["version"] for a in answers if a.status_code == 409} == {2}


async def test_a_start_is_the_same_start_on_every_replica_for_the_tickets_whole_life(
    kitchen: Kitchen, new_service: NewService
) -> None:
    other = new_service(kitchen.nats.url)
    await asyncio.to_thread(other.wait_until_ready)
    order = await kitchen.order()
    await kitchen.is_queued(order)
    key = {"Idempotency-Key": "tablet-7/42"}

    first = await kitchen.http.post(f"{ticket_path(order)}/start", headers=key)
    async with httpx.AsyncClient(base_url=other.url, timeout=60, headers=bearer()) as http:
        await http.post(f"{ticket_path(order)}/ready")
        await asyncio.to_thread(other.kill)
        await asyncio.to_thread(kitchen.nats.kill)
        await asyncio.to_thread(kitchen.nats.start)
        await asyncio.to_thread(other.start)
        await asyncio.to_thread(other.wait_until_ready)
        again = await http.post(f"{ticket_path(order)}/start", headers=key)
        reused = await http.post(f"{ticket_path(order)}/serve", headers=key)

    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["etag"] == first.headers["etag"] == '"2"'
    assert reused.json()["code"] == "idempotency-key-reused"
    await kitchen.is_ready()
    assert (await kitchen.ticket(order)).json()["version"] == 3


async def test_a_start_that_is_sent_to_both_replicas_at_once_is_one_start(
    kitchen: Kitchen, new_service: NewService
) -> None:
    other = new_service(kitchen.nats.url)
    await asyncio.to_thread(other.wait_until_ready)
    order = await kitchen.order()
    await kitchen.is_queued(order)
    key = {"Idempotency-Key": "tablet-7/42"}

    async with httpx.AsyncClient(timeout=60, headers=bearer()) as http:
        urls = [
            f"{replica}{ticket_path(order)}/start" for replica in (kitchen.http.base_url, other.url)
        ]
        answers = await asyncio.gather(*(http.post(url, headers=key) for url in urls * 5))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert (await kitchen.ticket(order)).json()["version"] == 2


async def test_while_the_broker_is_gone_every_request_is_told_to_come_again_and_then_it_works(
    kitchen: Kitchen,
) -> None:
    order = await kitchen.order()
    await kitchen.is_queued(order)

    await asyncio.to_thread(kitchen.nats.kill)
    await eventually(lambda: _is_unavailable(kitchen, order))
    await eventually(lambda: _says_not_ready(kitchen))
    alive = await kitchen.http.get("/health/live")
    await asyncio.to_thread(kitchen.nats.start)
    await kitchen.is_ready()

    assert alive.is_success
    assert await kitchen.queue() == [str(order.order_id)]
    assert (await kitchen.command(order, "start")).json()["status"] == "preparing"
    await eventually(lambda: _is_connected(kitchen.client))
    later = await kitchen.order()
    await kitchen.is_queued(later)


async def _is_connected(client: Client) -> bool:
    return client.is_connected


async def _is_unavailable(kitchen: Kitchen, order: contracts.Order) -> bool:
    answers = [
        await kitchen.command(order, "start"),
        await kitchen.ticket(order),
        await kitchen.http.get("/v1/restaurants/la-piazza/queue"),
    ]
    return all(a.status_code == 503 and a.headers["retry-after"] == "1" for a in answers)


async def _says_not_ready(kitchen: Kitchen) -> bool:
    return (await kitchen.health()).status_code == 503


async def test_it_is_ready_and_serves_without_ordering(
    new_nats_server: Callable[[], Nats], new_service: NewService
) -> None:
    nats = new_nats_server()
    setting_up = asyncio.create_task(set_up_serving(settings_for(nats.url)))
    service = new_service(nats.url)
    await asyncio.to_thread(service.wait_until_ready)
    assert not setting_up.done(), "it waits for the stream of orders"

    async with httpx.AsyncClient(base_url=service.url, timeout=60, headers=bearer()) as http:
        health = (await http.get("/health/ready")).json()
        queue = await http.get("/v1/restaurants/la-piazza/queue")

    assert health["components"]["queue"] == "ready"
    assert health["components"]["orders"] != "ready"
    assert queue.json() == {"tickets": []}
    setting_up.cancel()


async def test_it_starts_before_its_broker_and_is_ready_once_that_is_there(
    new_nats_server: Callable[[], Nats], new_service: NewService
) -> None:
    nats = new_nats_server()
    await set_up(nats.url)
    await asyncio.to_thread(nats.kill)
    service = new_service(nats.url)
    async with httpx.AsyncClient(base_url=service.url, timeout=60, headers=bearer()) as http:
        await eventually(lambda: _answers(http, "/health/live", 200))
        assert (await http.get("/health/ready")).status_code == 503
        assert (await http.get("/v1/restaurants/la-piazza/queue")).status_code == 503

        await asyncio.to_thread(nats.start)

        await eventually(lambda: _answers(http, "/health/ready", 200))


async def _answers(http: httpx.AsyncClient, path: str, status: int) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await http.get(path)).status_code == status
    return False


async def test_a_replica_that_is_killed_forgets_nothing(
    kitchen: Kitchen, new_service: NewService
) -> None:
    orders = [await kitchen.order() for _ in range(20)]
    for order in orders:
        await kitchen.is_queued(order)
    await kitchen.command(orders[0], "start")

    other = new_service(kitchen.nats.url)
    await asyncio.to_thread(other.wait_until_ready)

    async with httpx.AsyncClient(base_url=other.url, timeout=60, headers=bearer()) as http:
        tickets = (await http.get("/v1/restaurants/la-piazza/queue")).json()["tickets"]
    assert {each["order_id"] for each in tickets} == {str(order.order_id) for order in orders}
    assert [each["status"] for each in tickets].count("preparing") == 1


async def test_it_counts_changes_and_measures_the_queue(kitchen: Kitchen) -> None:
    for order in [await kitchen.order() for _ in range(3)]:
        await kitchen.is_queued(order)
    await kitchen.command(order, "start")

    async def metrics() -> str | None:
        text = (await kitchen.http.get("/metrics")).text
        return text if 'comanda_serving_tickets{status="preparing"} 1.0' in text else None

    text = await eventually(metrics)
    assert 'comanda_serving_tickets{status="queued"} 2.0' in text
    assert 'comanda_serving_ticket_changes_total{change="queued"} 3.0' in text
    assert 'comanda_serving_ticket_changes_total{change="started"} 1.0' in text


async def test_it_ends_cleanly_when_it_is_told_to(
    new_nats_server: Callable[[], Nats], new_service: NewService
) -> None:
    nats = new_nats_server()
    await set_up(nats.url)
    service = new_service(nats.url)
    await asyncio.to_thread(service.wait_until_ready)

    assert await asyncio.to_thread(service.stop) == 0
