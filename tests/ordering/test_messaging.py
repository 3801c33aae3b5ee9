"""What ordering consumes and publishes: declared, set up in a step, reached, and documented."""

import asyncio
import os
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from comanda_contracts import (
    Ticket,
    TicketAbandoned,
    TicketRecalled,
    TicketServed,
    TicketVoided,
    TicketVoidRefused,
    examples,
    seal,
    subjects,
)
from comanda_contracts.streams import COMMANDS, ORDERS, ORDERS_ARCHIVE, TICKETS
from comanda_local.servers import Nats
from faststream.nats import TestNatsBroker
from nats.aio.client import Client
from ordering.bootstrap import OWN_STREAMS, bootstrap, messaging
from ordering.domain.order import KitchenVerdict, Order, OrderStatus
from ordering.inbound.nats.command_subscriber import command_router
from ordering.inbound.nats.verdict_subscriber import VERDICT_EVENTS, verdict_router
from ordering.outbound.database.engine import connect
from ordering.settings import Settings
from service_kit.nats.broker import Broker
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_stream

from tests.conftest import NewNatsServer
from tests.ordering.builders import ADA, NOON, a_place_order
from tests.ordering.fakes import InMemoryStore
from tests.ordering.use_cases import NO_GRACE, open_la_piazza, placing
from tests.support.asyncapi import contract_payloads, payloads
from tests.support.commands import anybody
from tests.support.tokens import bearer

SERVERS = {
    "nats_url": "nats://nats:4222",
    "database_url": "postgresql+asyncpg://postgres@postgres/comanda",
}


Payload = dict[str, Any]


@dataclass
class Answers:
    """A connection that keeps what is published over it."""

    published: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    max_payload: int = 1024 * 1024

    async def publish(
        self, subject: str, body: bytes, _reply: str, headers: Mapping[str, str]
    ) -> None:
        self.published.append((subject, body, headers))


@pytest.fixture
async def store() -> InMemoryStore:
    store = InMemoryStore()
    await open_la_piazza(store)
    return store


async def an_order(store: InMemoryStore) -> Order:
    return await store.run(placing(a_place_order(party=ADA)))


def ticket_of(order: Order) -> Ticket:
    return examples.TICKET.model_copy(
        update={"restaurant": order.restaurant, "order_id": order.order_id, "round": 1}
    )


@pytest.mark.parametrize(
    ("event", "verdict"),
    [
        (TicketServed, KitchenVerdict.SERVED),
        (TicketVoided, KitchenVerdict.VOIDED),
        (TicketVoidRefused, KitchenVerdict.STARTED),
        (TicketRecalled, KitchenVerdict.STARTED),
        (TicketAbandoned, KitchenVerdict.ABANDONED),
    ],
)
async def test_a_verdict_of_the_kitchen_reaches_its_order(
    store: InMemoryStore, event: type[TicketServed], verdict: KitchenVerdict
) -> None:
    order = await an_order(store)
    message = seal(event(at=NOON, ticket=ticket_of(order)), event_id=uuid.uuid4())
    router = verdict_router(store, lambda: NOON, recall_grace=NO_GRACE)
    broker = Broker([SERVERS["nats_url"]], "ordering", [router])

    async with TestNatsBroker(broker):
        await broker.publish(message.body, message.subject, headers=dict(message.headers))

    assert store.orders[order.order_id].verdicts == {1: verdict}


async def test_a_command_is_carried_out_and_answered(store: InMemoryStore) -> None:
    answers = Answers()

    async def client() -> Client:
        return answers  # type: ignore[return-value]

    broker = Broker([SERVERS["nats_url"]], "ordering")
    commands = command_router(
        store, client, clock=lambda: NOON, new_id=uuid.uuid4, identify=anybody
    )
    broker.include_router(commands)

    async with TestNatsBroker(broker):
        await broker.publish(
            b'{"channel": "takeaway", "customer": "Ada",'
            b' "lines": [{"sku": "margherita", "quantity": 1}]}',
            subjects.command("la-piazza", "place-order"),
            headers={
                "Comanda-Request-Id": "till-1/17",
                "Comanda-Expires": "2026-05-04T12:10:00Z",
                "Comanda-Reply-To": "replies.v1.la-piazza.till-1.5",
            },
        )

    (order,) = store.orders.values()
    ((subject, body, headers),) = answers.published
    assert (subject, headers["Comanda-Status"]) == ("replies.v1.la-piazza.till-1.5", "201")
    assert str(order.order_id).encode() in body
    assert order.status is OrderStatus.OPEN


def test_commands_verdicts_and_erasures_have_a_durable_each(store: InMemoryStore) -> None:
    broker = messaging([SERVERS["nats_url"]], store, connect(SERVERS["database_url"]))

    declared = {
        (each.stream.name, each.durable, tuple(each.config.filter_subjects or ()))
        for each in broker.batch_subscribers
    }

    assert declared == {
        (COMMANDS.name, "ordering", (COMMANDS.subject,)),
        (
            TICKETS.name,
            "ordering",
            tuple(subjects.ticket("*", "*", "*", name) for name in VERDICT_EVENTS),
        ),
        (ORDERS.name, "ordering-forgetting", (subjects.order("*", "*", "forgotten"),)),
    }


async def test_the_set_up_makes_the_streams_and_durables_and_can_be_repeated(
    new_nats_server: NewNatsServer,
) -> None:
    server = new_nats_server()
    async with connected([server.url], "test") as client:
        js = client.jetstream()
        await set_up_stream(js, TICKETS, replicas=1)

        first, again = await set_up(server), await set_up(server)

        assert (first, again) == (0, 0)
        streams = {info.config.name for info in await js.streams_info()}
        assert streams == {each.name for each in (TICKETS, *OWN_STREAMS, ORDERS_ARCHIVE)}
        for stream in (COMMANDS, TICKETS):
            assert [each.name for each in await js.consumers_info(stream.name)] == ["ordering"]
        (erasing,) = await js.consumers_info(ORDERS.name)
        assert erasing.name == "ordering-forgetting"


async def set_up(server: Nats) -> int:
    """Run the step as a process that is told of NATS and of no database."""
    environment = {name: text for name, text in os.environ.items() if "COMANDA" not in name}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ordering", "set-up"),
        env=environment | {"COMANDA_NATS_URL": server.url},
    )
    return await process.wait()


async def test_the_document_says_what_the_contract_says() -> None:
    app = bootstrap(Settings.model_validate(SERVERS))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://ordering", headers=bearer()
    ) as client:
        assert "<html" in (await client.get("/asyncapi")).text
        document = (await client.get("/asyncapi.json")).json()

    consumed = contract_payloads("receive", "COMMANDS", "TICKETS", "ORDERS")
    verdicts = tuple(f".{name}" for name in VERDICT_EVENTS)
    expected = contract_payloads("send", "ORDERS", "MENU", "RESTAURANTS", "ACCESS") | {
        (action, address): payload
        for (action, address), payload in consumed.items()
        if address.startswith("commands.")
        or address.endswith("{order_id}.forgotten")
        or (address.startswith("tickets.") and address.endswith(verdicts))
    }
    assert {key: without_hint(each) for key, each in payloads(document).items()} == expected


def without_hint(payload: Payload) -> Payload:
    """The payload without the name of the field that tells its kinds apart: OpenAPI's own word."""
    return {name: each for name, each in payload.items() if name != "discriminator"}
