"""Dead letters: listed, shown, replayed at any later time, and discarded."""

import json
import uuid

import pytest
from comanda_contracts import Message, seal, subjects
from comanda_contracts.streams import DEAD_LETTERS
from comanda_local.servers import Nats
from nats.aio.client import Client
from query.storage.client import Database
from query.storage.generations import Generations
from query.storage.orders.store import MongoOrders
from query.views.orders.view import document

from tests.query.builders import an_order, closed, placed
from tests.query.conftest import store
from tests.query.operators import run
from tests.query.running import publish, quiet, running_service, set_up
from tests.query.test_order_store import fold

Servers = tuple[str, str]


@pytest.fixture
def servers(nats_server: Nats, fresh_mongodb_url: str) -> Servers:
    return nats_server.url, fresh_mongodb_url


@pytest.fixture
async def nats(nats: Client) -> Client:
    await set_up(nats, DEAD_LETTERS)
    return nats


def a_letter(message: Message, service: str = "query", reason: str = "too new for us") -> Message:
    """The message as a service of an earlier version set it aside."""
    headers = {
        **message.headers,
        "Comanda-Reason": reason,
        "Comanda-Subject": message.subject,
        "Comanda-Stream": "ORDERS",
        "Comanda-Sequence": "41",
        "Nats-Msg-Id": str(uuid.uuid4()),
    }
    return Message(subjects.dead_letter(service, "ORDERS"), headers, message.body)


async def numbers(servers: Servers, *options: str) -> list[int]:
    outcome = await run(servers, "dead-letters", "list", "--json", *options)
    assert outcome.code == 0, outcome.notes
    return [json.loads(line)["number"] for line in outcome.output.splitlines()]


async def test_a_letter_that_is_replayed_after_newer_versions_of_its_order_changes_no_state(
    nats: Client, servers: Servers, database: Database, orders: MongoOrders
) -> None:
    first, second = placed(an_order()), None
    second = closed(first.order)
    await store(orders, second)
    await publish(nats, a_letter(seal(first, event_id=uuid.uuid4())))

    outcome = await run(servers, "dead-letters", "replay", "--all")

    assert (outcome.code, outcome.output) == (0, "1: projected\n")
    stored = await Generations(database).live.orders.find_one({"_id": first.key})
    assert stored == document(fold([first, second]))
    assert await numbers(servers) == []


async def test_what_still_fails_stays_and_its_newer_reason_is_told(
    nats: Client, servers: Servers, restaurant: str
) -> None:
    good = seal(placed(an_order(restaurant=restaurant)), event_id=uuid.uuid4())
    garbled = Message(good.subject, good.headers, b'{"order": ')
    await publish(nats, a_letter(garbled), a_letter(good))

    outcome = await run(servers, "dead-letters", "replay", "1", "2", "3")

    assert outcome.code == 1
    first, second, third = outcome.output.splitlines()
    assert first.startswith("1: ")
    assert "Invalid JSON" in first
    assert (second, third) == ("2: projected", "3: it is not there")
    assert await numbers(servers) == [1]


async def test_letters_are_listed_shown_and_discarded(
    nats: Client, servers: Servers, restaurant: str
) -> None:
    message = seal(placed(an_order(restaurant=restaurant)), event_id=uuid.uuid4())
    await publish(nats, a_letter(message), a_letter(message, "ordering"), a_letter(message))

    listed = await run(servers, "dead-letters", "list")
    shown = await run(servers, "dead-letters", "show", "1")
    others = await run(servers, "dead-letters", "discard", "2")
    discarded = await run(servers, "dead-letters", "discard", "1")

    assert listed.output.splitlines()[0] == f"1  ORDERS 41  {message.subject}"
    assert "too new for us" in listed.output
    head, body = shown.output.split("\n\n", 1)
    assert "Comanda-Reason: too new for us" in head
    assert body.encode().strip() == message.body
    assert (others.code, "one of ordering" in others.notes) == (1, True)
    assert discarded.output == "1: discarded\n"
    assert await numbers(servers) == [3]
    assert await numbers(servers, "--service", "ordering") == [2]
    assert await numbers(servers, "--service", "*") == [2, 3]


async def test_what_the_projector_sets_aside_can_be_replayed(
    nats: Client, servers: Servers, restaurant: str
) -> None:
    endless = placed(an_order(restaurant=restaurant, guests=2**53 - 1, version=2**31))
    garbled = Message(endless.subject, {"ce-type": "comanda.order.placed.v1"}, b"{}")
    await publish(nats, garbled)
    async with running_service(*servers):
        await quiet(nats)

    outcome = await run(servers, "dead-letters", "replay", "--all")

    assert outcome.code == 1
    assert "Field required" in outcome.output
