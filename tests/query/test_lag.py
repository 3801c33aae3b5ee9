"""How far query is behind: measured on real consumers, and what it means for readiness."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
from comanda_contracts.streams import ORDERS
from comanda_local.servers import MongoDB, Nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from query.bootstrap import Role
from query.projection.lag import Lag, measure
from service_kit.nats.jetstream import connected

from tests.query.builders import an_order, closed, placed
from tests.query.running import is_ok, lag_of, publish, running_service
from tests.support.eventually import eventually

LONG = 60.0
"""Seconds that a busy machine may add to an age."""


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def delivered(nats: Client, count: int) -> list[Msg]:
    """The first messages of the stream, given to query's consumer and not acknowledged."""
    js = nats.jetstream()
    subscription = await js.pull_subscribe_bind("query", ORDERS.name)
    messages: list[Msg] = []
    while len(messages) < count:
        messages += await subscription.fetch(count - len(messages), timeout=10)
    return messages


async def orders_lag(nats: Client) -> Lag:
    return await measure(nats.jetstream(), ORDERS)


def is_about(lag: Lag, events: int, seconds: float) -> bool:
    return lag.events == events and seconds <= lag.seconds < seconds + LONG


async def test_the_lag_is_what_is_not_acknowledged_and_the_age_of_the_oldest_of_it(
    nats: Client,
) -> None:
    await publish(nats, *(placed(an_order(), at=ago(age)) for age in (4000, 3000, 2000, 1000)))
    first, second, third = await delivered(nats, 3)

    assert is_about(await orders_lag(nats), 4, 4000)
    await third.ack_sync()
    assert is_about(await orders_lag(nats), 3, 4000)
    await first.ack_sync()
    assert is_about(await orders_lag(nats), 2, 3000)
    await second.ack_sync()
    assert is_about(await orders_lag(nats), 1, 1000)


async def test_what_was_delivered_again_and_then_stored_is_not_behind_for_ever(
    nats: Client,
) -> None:
    await publish(nats, *(placed(an_order(), at=ago(age)) for age in (3000, 2000, 1000)))
    first, second, third = await delivered(nats, 3)
    await first.nak()
    await second.nak()
    again = await delivered(nats, 2)

    for message in again:
        await message.ack_sync()

    assert is_about(await orders_lag(nats), 1, 1000)
    await third.ack_sync()
    assert await orders_lag(nats) == Lag("ORDERS", 0, 0.0)


async def test_a_stream_that_nobody_ever_projected_is_all_lag(nats: Client) -> None:
    await nats.jetstream().delete_consumer(ORDERS.name, "query")
    await publish(nats, *(placed(an_order(), at=ago(age)) for age in (2000, 1000)))

    assert is_about(await orders_lag(nats), 2, 2000)


async def test_a_stream_that_is_not_there_has_no_lag(nats_server: Nats) -> None:
    async with connected([nats_server.url], "test") as client:
        assert await orders_lag(client) == Lag("ORDERS", 0, 0.0)


async def test_a_projector_is_not_ready_while_it_is_too_far_behind(
    nats: Client, nats_server: Nats, own_mongodb: MongoDB
) -> None:
    order = an_order()
    servers = nats_server.url, own_mongodb.url
    async with (
        running_service(*servers, Role.PROJECTOR, ready_within=1) as projector,
        running_service(*servers, Role.API, ready_within=1) as api,
    ):
        await eventually(lambda: lag_of(projector), lambda state: state == "ready")
        await asyncio.to_thread(own_mongodb.kill)
        await publish(nats, placed(order, at=ago(5)))

        await eventually(lambda: lag_of(projector), lambda state: "ORDERS is" in state)
        await eventually(lambda: lag_of(api), lambda state: "ORDERS is" in state)
        assert 'comanda_query_pending_events{stream="ORDERS"} 1.0' in await metrics(projector)
        assert (await projector.get("/health/ready")).status_code == 503
        await asyncio.to_thread(own_mongodb.start)

        await eventually(lambda: projector.get("/health/ready"), is_ok)
        assert 'comanda_query_pending_events{stream="ORDERS"} 0.0' in await metrics(projector)
        assert 'comanda_query_behind_seconds{stream="ORDERS"} 0.0' in await metrics(projector)


async def test_an_api_answers_from_views_that_nobody_renews(
    nats: Client, nats_server: Nats, fresh_mongodb_url: str
) -> None:
    order = an_order()
    await publish(nats, placed(order, at=ago(100)), closed(order, at=ago(100)))

    async with running_service(nats_server.url, fresh_mongodb_url, Role.API) as api:
        await eventually(lambda: lag_of(api), lambda state: "behind" in state)

        await eventually(lambda: api.get("/health/ready"), is_ok)


async def test_a_projector_stays_ready_while_nats_is_away(
    nats_server: Nats, fresh_mongodb_url: str
) -> None:
    await asyncio.to_thread(nats_server.kill)

    async with running_service(nats_server.url, fresh_mongodb_url, Role.PROJECTOR) as projector:
        await eventually(lambda: projector.get("/health/ready"), is_ok)


async def metrics(client: httpx.AsyncClient) -> str:
    return (await client.get("/metrics")).text
