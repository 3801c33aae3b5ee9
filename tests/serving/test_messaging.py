"""Serving's messaging: declared, set up in a step of its own, reached, and documented."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import httpx
import psutil
import pytest
from comanda_contracts.envelope import Message
from comanda_contracts.streams import ORDERS, TICKETS, TICKETS_ARCHIVE
from comanda_local import services
from comanda_local.servers import Nats
from faststream.nats import TestNatsBroker
from nats.js import JetStreamContext, api
from service_kit.nats.broker import Broker
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_stream
from serving.bootstrap import bootstrap
from serving.inbound.nats.orders import CONSUMED_EVENTS, SERVICE, order_router
from serving.outbound.bookmarks import STREAM_OF_BUCKET
from uuid_utils.compat import uuid7

from tests.conftest import NewNatsServer
from tests.serving.builders import (
    NOON,
    an_order,
    cancellation_requested,
    items_added,
    placed,
)
from tests.serving.fakes import InMemoryTickets
from tests.serving.running import NewService, set_up, settings_for
from tests.support.asyncapi import contract_payloads, payloads
from tests.support.eventually import eventually
from tests.support.tokens import bearer

UNREACHED = "nats://localhost:4222"


def a_broker(tickets: InMemoryTickets) -> Broker:
    router = order_router(tickets=tickets, clock=lambda: NOON, new_id=uuid7)
    return Broker([UNREACHED], SERVICE, [router])


async def published(*messages: Message) -> list[str]:
    """The events of tickets that the messages lead to, by way of the declared subscriber."""
    tickets = InMemoryTickets()
    broker = a_broker(tickets)
    async with TestNatsBroker(broker):
        for message in messages:
            await broker.publish(message.body, message.subject, headers=dict(message.headers))
    return [type(event).__name__ for event in tickets.events]


def test_one_durable_is_declared_and_filters_what_is_of_concern_to_the_kitchen() -> None:
    (subscriber,) = a_broker(InMemoryTickets()).batch_subscribers

    assert (subscriber.stream.name, subscriber.durable) == (ORDERS.name, "serving")
    assert not subscriber.stream.declare
    assert subscriber.config.filter_subjects == [
        "orders.v1.*.*.placed",
        "orders.v1.*.*.items-added",
        "orders.v1.*.*.cancellation-requested",
        "orders.v1.*.*.restated",
    ]


@pytest.mark.parametrize(
    ("message", "events"),
    [
        (placed(an_order()), ["TicketQueued"]),
        (items_added(an_order(rounds=2), 2), ["TicketQueued"]),
        (cancellation_requested(an_order(), 1), ["TicketQueued", "TicketVoided"]),
    ],
    ids=["placed", "items added", "cancellation requested"],
)
async def test_each_event_reaches_the_kitchen(message: Message, events: Sequence[str]) -> None:
    assert await published(message) == events


async def test_the_document_has_what_is_consumed_and_what_is_published() -> None:
    app = bootstrap(settings_for(UNREACHED))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://serving", headers=bearer()
    ) as http:
        page = await http.get("/asyncapi")
        document = (await http.get("/asyncapi.json")).json()

    consumed = contract_payloads("receive", ORDERS.name)
    assert "<html" in page.text
    assert payloads(document) == contract_payloads("send", TICKETS.name) | {
        (action, address): payload
        for (action, address), payload in consumed.items()
        if address.rpartition(".")[2] in (*CONSUMED_EVENTS, "forgotten")
    }


@pytest.fixture
def nats(new_nats_server: NewNatsServer) -> Nats:
    """A server of the test's own, with nothing set up."""
    return new_nats_server()


@pytest.fixture
async def js(nats: Nats) -> AsyncIterator[JetStreamContext]:
    async with connected([nats.url], "test") as client:
        yield client.jetstream()


async def test_the_set_up_makes_the_stream_the_bucket_and_the_durable(
    nats: Nats, js: JetStreamContext
) -> None:
    await set_up_stream(js, ORDERS, replicas=1)

    assert await run_set_up(nats) == 0

    assert await names(js) == {
        *(each.name for each in (ORDERS, TICKETS, TICKETS_ARCHIVE)),
        STREAM_OF_BUCKET,
    }
    durables = {each.name for each in await js.consumers_info(ORDERS.name)}
    assert durables == {SERVICE, "serving-forgetting"}


async def test_the_set_up_can_be_repeated_and_undoes_nothing_that_an_operator_set(
    nats: Nats, js: JetStreamContext
) -> None:
    await set_up(nats.url)
    for stream in (TICKETS.name, STREAM_OF_BUCKET):
        config = (await js.stream_info(stream)).config
        await js.update_stream(config.evolve(max_bytes=10_000_000))
    before = await configurations(js)

    assert await run_set_up(nats) == 0

    assert await configurations(js) == before


async def run_set_up(nats: Nats) -> int | None:
    """Run `python -m serving set-up`. Returns its exit code."""
    process = await asyncio.create_subprocess_exec(
        *services.command("serving", "set-up"),
        env=services.environment({"COMANDA_NATS_URL": nats.url}),
    )
    return await process.wait()


async def names(js: JetStreamContext) -> set[str | None]:
    return {each.config.name for each in await js.streams_info()}


async def configurations(js: JetStreamContext) -> dict[str | None, api.StreamConfig]:
    return {each.config.name: each.config for each in await js.streams_info()}


async def test_a_service_that_runs_makes_no_stream_and_says_that_they_are_missing(
    nats: Nats, js: JetStreamContext, new_service: NewService
) -> None:
    service = new_service(nats.url)
    async with httpx.AsyncClient(base_url=service.url, timeout=60, headers=bearer()) as http:
        await eventually(lambda: _misses_all(http))

    assert await names(js) == set()


async def _misses_all(http: httpx.AsyncClient) -> bool:
    with contextlib.suppress(httpx.TransportError):
        components = (await http.get("/health/ready")).json()["components"]
        of_streams = (state for name, state in components.items() if name not in {"access", "keys"})
        return all(state.startswith("waiting for stream ") for state in of_streams)
    return False


async def test_a_process_has_one_connection_to_nats(nats: Nats, new_service: NewService) -> None:
    await set_up(nats.url)
    service = new_service(nats.url)
    await asyncio.to_thread(service.wait_until_ready)

    connections = psutil.Process(service.process.pid).net_connections("inet")

    assert [each.raddr.port for each in connections if each.raddr].count(nats.port) == 1
