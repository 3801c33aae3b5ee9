"""Commands over NATS, on a real NATS and a real PostgreSQL."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from comanda_contracts import Message, subjects
from comanda_contracts.streams import COMMANDS, DEAD_LETTERS
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import PubAck
from nats.js.errors import NotFoundError
from ordering.inbound.nats.command_subscriber import command_router
from service_kit.nats.broker import Broker, running
from service_kit.nats.jetstream import connected, publish_all
from service_kit.nats.set_up import set_up

from tests.conftest import NewNatsServer
from tests.ordering.builders import NOON
from tests.ordering.conftest import Database
from tests.ordering.use_cases import open_la_piazza
from tests.support.eventually import eventually

TAKEAWAY = {
    "channel": "takeaway",
    "customer": "Ada",
    "lines": [{"sku": "margherita", "quantity": 2}],
}


@pytest.fixture
def nats_server(new_nats_server: NewNatsServer) -> Nats:
    return new_nats_server()


@pytest.fixture
async def client(database: Database, nats_server: Nats) -> AsyncIterator[Client]:
    """A till's connection, while ordering is there."""
    store = database.replica()
    await open_la_piazza(store)
    broker = Broker([nats_server.url], "ordering")
    broker.include_router(
        command_router(store, broker.client, clock=lambda: NOON, new_id=uuid.uuid4)
    )
    streams = [COMMANDS, DEAD_LETTERS]
    await set_up(broker, [nats_server.url], streams=streams, replicas=1)
    async with connected([nats_server.url], "till") as client, running(broker):
        yield client


class Till:
    """Sends commands and hears the answers."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox()

    async def __aenter__(self) -> "Till":
        self._answers = await self._client.subscribe(self._inbox)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._answers.unsubscribe()

    async def send(self, command: str, body: Any, **headers: str) -> PubAck:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        known = {"Comanda-Reply-To": self._inbox, "Nats-Msg-Id": uuid.uuid4().hex}
        subject = subjects.command("la-piazza", command)
        (outcome,) = await publish_all(
            self._client, [Message(subject, {**known, **headers}, content)]
        )
        assert not isinstance(outcome, Exception), outcome
        return outcome

    async def answer(self) -> tuple[int, dict[str, Any]]:
        message: Msg = await self._answers.next_msg(timeout=60)
        assert message.headers is not None
        return int(message.headers["Comanda-Status"]), json.loads(message.data)

    async def ask(self, command: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        await self.send(command, body, **headers)
        return await self.answer()


async def test_an_order_is_placed_extended_and_cancelled(client: Client) -> None:
    async with Till(client) as till:
        status, order = await till.ask("place-order", TAKEAWAY)
        to_order = {"order_id": order["order_id"]}
        added = await till.ask("add-items", {**to_order, "lines": TAKEAWAY["lines"]})
        closed = await till.ask("close-order", to_order)
        stale = {**to_order, "expected_version": 1, "reason": "no"}
        late = await till.ask("cancel-order", stale)
        cancelled = await till.ask("cancel-order", {**to_order, "reason": "they left"})

    assert (status, order["number"], order["total"]) == (201, "A-001", 1700)
    assert (added[0], added[1]["version"]) == (201, 2)
    assert (closed[0], closed[1]["code"]) == (409, "still-in-the-kitchen")
    assert (late[0], late[1]["code"]) == (412, "version-mismatch")
    assert (cancelled[0], cancelled[1]["status"]) == (202, "cancelling")


async def test_a_refusal_is_an_answer_with_the_field_at_fault(client: Client) -> None:
    async with Till(client) as till:
        wrong = await till.ask("place-order", TAKEAWAY | {"table": "3"})
        unknown = await till.ask("close-order", {"order_id": str(uuid.UUID(int=0))})

    assert (wrong[0], [each["field"] for each in wrong[1]["errors"]]) == (422, ["table"])
    assert (unknown[0], unknown[1]["code"]) == (404, "unknown-order")


async def test_a_command_sent_again_has_one_effect_and_the_same_answer(
    client: Client, database: Database
) -> None:
    await forget_message_ids_after(0.1, client)
    name = {"Nats-Msg-Id": "till-1/17"}
    async with Till(client) as till:
        first = await till.ask("place-order", TAKEAWAY, **name)
        while (await till.send("place-order", TAKEAWAY, **name)).duplicate:
            await asyncio.sleep(0.02)  # until the stream has forgotten the first one
        again = await till.answer()

    assert again == first
    assert await database.rows("SELECT count(*) FROM orders") == [(1,)]


async def forget_message_ids_after(seconds: float, client: Client) -> None:
    """An operator gives the stream so short a memory for what was sent already."""
    js = client.jetstream()
    config = (await js.stream_info(COMMANDS.name)).config
    await js.update_stream(config.evolve(duplicate_window=seconds))


@pytest.mark.parametrize(
    ("command", "body", "headers", "reason"),
    [
        ("place-order", b"\xff no JSON", {}, "body: not JSON"),
        ("place-order", b"[]", {}, "body: not a JSON object"),
        ("fly", b"{}", {}, "'fly' is not a command"),
        ("place-order", b"{}", {"Comanda-Reply-To": "orders.v1.x"}, "header Comanda-Reply-To"),
        ("place-order", b"{}", {"Comanda-Reply-To": "replies.v1.>"}, "header Comanda-Reply-To"),
    ],
)
async def test_what_is_no_command_is_set_aside_and_the_next_is_carried_out(
    client: Client, command: str, body: bytes, headers: dict[str, str], reason: str
) -> None:
    async with Till(client) as till:
        await till.send(command, body, **headers)
        status, _ = await till.ask("place-order", TAKEAWAY)

    letter = await client.jetstream().get_last_msg(
        DEAD_LETTERS.name, "dead-letters.v1.ordering.COMMANDS"
    )
    assert status == 201
    assert letter.headers is not None
    assert reason in letter.headers["Comanda-Reason"]
    assert (await client.jetstream().stream_info(COMMANDS.name)).state.messages == 0


@pytest.mark.parametrize("name", ["till-7\x00", "n" * 9_000, "\ufffd", "à la carte"])
async def test_whatever_names_a_request_it_is_carried_out_once_and_its_neighbours_too(
    client: Client, database: Database, name: str
) -> None:
    await forget_message_ids_after(0.1, client)
    async with Till(client) as till:
        for _ in range(5):
            await till.send("place-order", TAKEAWAY)
        await till.send("place-order", TAKEAWAY, **{"Nats-Msg-Id": name})
        answers = [await till.answer() for _ in range(6)]
        while (await till.send("place-order", TAKEAWAY, **{"Nats-Msg-Id": name})).duplicate:
            await asyncio.sleep(0.02)
        again = await till.answer()

    assert [status for status, _ in answers] == [201] * 6
    assert again in answers
    assert await database.rows("SELECT count(*) FROM orders") == [(6,)]


async def test_a_refusal_that_would_be_larger_than_a_message_is_answered_in_short(
    client: Client,
) -> None:
    faulty = {**TAKEAWAY, "x" * 400_000: 1, "y" * 400_000: 2}
    async with Till(client) as till:
        await till.send("place-order", faulty)
        status, problem = await till.answer()
        after, _ = await till.ask("place-order", TAKEAWAY)

    assert (status, problem["code"], after) == (422, "invalid-request", 201)


async def test_an_answer_that_can_go_nowhere_keeps_nobody_waiting(client: Client) -> None:
    async with Till(client) as till:
        for _ in range(3):
            await till.send("place-order", TAKEAWAY)
        nowhere = {"Comanda-Reply-To": "replies.v1." + "r" * 9_000}
        await till.send("place-order", TAKEAWAY, **nowhere)
        answers = [await till.answer() for _ in range(3)]

    letter = await eventually(lambda: the_last_letter(client))
    assert [status for status, _ in answers] == [201] * 3
    assert "Comanda-Reply-To" in letter["Comanda-Reason"]


async def the_last_letter(client: Client) -> dict[str, str] | None:
    with contextlib.suppress(NotFoundError):
        js, subject = client.jetstream(), "dead-letters.v1.ordering.COMMANDS"
        return (await js.get_last_msg(DEAD_LETTERS.name, subject)).headers
    return None
