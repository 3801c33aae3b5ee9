"""Commands over NATS, on a real NATS and a real PostgreSQL."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
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
from ordering.inbound.nats.sender import by_token
from service_kit.nats.broker import Broker, running
from service_kit.nats.jetstream import connected, publish_all
from service_kit.nats.set_up import set_up

from tests.conftest import NewNatsServer
from tests.ordering.builders import NOON, a_restaurant, an_item
from tests.ordering.conftest import Database
from tests.ordering.test_http import DINE_IN, HERE, ordering
from tests.ordering.use_cases import offering, open_la_piazza, setting
from tests.support.admission import own_admission
from tests.support.eventually import eventually
from tests.support.tokens import bearer

TAKEAWAY = {
    "channel": "takeaway",
    "customer": "Ada",
    "lines": [{"sku": "margherita", "quantity": 2}],
}


PAST, PAST_IN_ROME, SOON = (
    "2026-05-04T12:00:00Z",
    "2026-05-04T13:59:59.5+02:00",
    "2026-05-04T12:00:00.001Z",
)
"""Times around the NOON of ordering's clock."""


@pytest.fixture
def nats_server(new_nats_server: NewNatsServer) -> Nats:
    return new_nats_server()


class Clock:
    """Ordering's clock."""

    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(database: Database, nats_server: Nats, clock: Clock) -> AsyncIterator[Client]:
    """A till's connection, while ordering is there."""
    store = database.replica()
    await open_la_piazza(store)
    broker = Broker([nats_server.url], "ordering")
    commands = command_router(
        store, broker.client, clock=clock, new_id=uuid.uuid4, identify=by_token(own_admission())
    )
    broker.include_router(commands)
    streams = [COMMANDS, DEAD_LETTERS]
    await set_up(broker, [nats_server.url], streams=streams, replicas=1)
    async with connected([nats_server.url], "till") as client, running(broker):
        yield client


class Till:
    """Sends commands and hears the answers."""

    def __init__(self, client: Client, restaurant: str = "la-piazza") -> None:
        self._client = client
        self.restaurant = restaurant
        self._inbox = client.new_inbox()

    async def __aenter__(self) -> "Till":
        self._answers = await self._client.subscribe(self._inbox)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._answers.unsubscribe()

    async def send(self, command: str, body: Any, **headers: str | None) -> PubAck:
        """A header that is None is left out."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        known = {
            "Comanda-Reply-To": self._inbox,
            "Comanda-Request-Id": uuid.uuid4().hex,
            **bearer(),
        }
        subject = subjects.command(self.restaurant, command)
        sent = {name: text for name, text in {**known, **headers}.items() if text is not None}
        (outcome,) = await publish_all(self._client, [Message(subject, sent, content)])
        assert not isinstance(outcome, Exception), outcome
        return outcome

    async def answer(self) -> tuple[int, dict[str, Any]]:
        headers, body = await self.message()
        return int(headers["Comanda-Status"]), json.loads(body)

    async def message(self) -> tuple[dict[str, str], bytes]:
        """The next answer as it is."""
        message: Msg = await self._answers.next_msg(timeout=60)
        assert message.headers is not None
        return dict(message.headers), message.data

    async def ask(
        self, command: str, body: Any, **headers: str | None
    ) -> tuple[int, dict[str, Any]]:
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


@pytest.mark.parametrize("body", [TAKEAWAY, {}], ids=["carried out", "refused"])
async def test_an_answer_repeats_the_id_of_its_very_message_which_is_kept_nowhere(
    client: Client, database: Database, body: dict[str, Any]
) -> None:
    request = {"Comanda-Request-Id": "till-1/17"}
    async with Till(client) as till:
        answers = []
        for name in ("attempt-1", "attempt-2", None, "two words"):
            await till.send("place-order", body, **request, **{"Request-Id": name})
            answers.append(await till.message())

    assert [headers.get("Request-Id") for headers, _ in answers] == [
        "attempt-1",
        "attempt-2",
        None,
        None,
    ]
    assert len({content for _, content in answers}) == 1
    kept = [
        *await database.rows("SELECT headers::text || convert_from(body, 'UTF8') FROM outbox"),
        *await database.rows("SELECT answers::text FROM answers"),
    ]
    assert "attempt" not in str(kept)


async def test_a_channel_that_is_not_known_is_refused_by_its_name(client: Client) -> None:
    async with Till(client) as till:
        status, problem = await till.ask("place-order", TAKEAWAY | {"channel": "delivery"})

    assert (status, [each["field"] for each in problem["errors"]]) == (422, ["channel"])


async def test_a_command_sent_again_has_one_effect_and_the_same_answer_wherever_it_is_heard(
    client: Client, database: Database
) -> None:
    name = {"Comanda-Request-Id": "till-1/17"}
    async with Till(client) as till, Till(client) as elsewhere:
        first = await till.ask("place-order", TAKEAWAY, **name)
        again = await till.ask("place-order", TAKEAWAY, **name)
        there = await elsewhere.ask("place-order", TAKEAWAY, **name)
        other = await till.ask("place-order", TAKEAWAY | {"customer": "Eve"}, **name)

    assert again == there == first
    assert (other[0], other[1]["code"]) == (422, "idempotency-key-reused")
    assert [each["field"] for each in other[1]["errors"]] == ["Comanda-Request-Id"]
    assert await database.rows("SELECT count(*) FROM orders") == [(1,)]


async def test_a_command_named_by_its_message_id_alone_is_carried_out_once(
    client: Client, database: Database
) -> None:
    name = {"Comanda-Request-Id": None, "Nats-Msg-Id": "till-1/17"}
    async with Till(client) as till:
        first = await till.ask("place-order", TAKEAWAY, **name)
        while (await till.send("place-order", TAKEAWAY, **name)).duplicate:
            await asyncio.sleep(0.02)  # until the stream has forgotten the first one
        again = await till.answer()

    assert again == first
    assert await database.rows("SELECT count(*) FROM orders") == [(1,)]


async def test_two_restaurants_may_give_their_requests_the_same_id(
    client: Client, database: Database
) -> None:
    store = database.replica()
    await store.run(setting(a_restaurant(slug="trattoria")))
    await store.run(offering(an_item("margherita", restaurant="trattoria")))
    async with Till(client) as one, Till(client, "trattoria") as other:
        status, order = await one.ask("place-order", TAKEAWAY, **{"Comanda-Request-Id": "1"})
        other_status, other_order = await other.ask(
            "place-order", TAKEAWAY, **{"Comanda-Request-Id": "1"}
        )

    assert (status, other_status) == (201, 201)
    assert order["order_id"] != other_order["order_id"]


@pytest.mark.parametrize("key", ["17", "message/17", "http/message/17", "request/17"])
async def test_no_key_of_http_is_the_id_of_a_tills_request(
    client: Client, database: Database, key: str
) -> None:
    async with ordering(database.replica(), database.engine, has_lane=True) as http:
        burnt = await http.post(f"{HERE}/orders", json=DINE_IN, headers={"Idempotency-Key": key})
    async with Till(client) as till:
        named = await till.ask("place-order", TAKEAWAY, **{"Comanda-Request-Id": "17"})
        by_message = {"Comanda-Request-Id": None, "Nats-Msg-Id": "17"}
        numbered = await till.ask("place-order", TAKEAWAY, **by_message)

    assert (burnt.status_code, named[0], numbered[0]) == (201, 201, 201)


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"Comanda-Request-Id": None}, "Comanda-Request-Id"),
        ({"Comanda-Request-Id": "with blanks"}, "Comanda-Request-Id"),
        ({"Comanda-Request-Id": "tïll-7"}, "Comanda-Request-Id"),
        ({"Comanda-Request-Id": "7\x00"}, "Comanda-Request-Id"),
        ({"Comanda-Request-Id": "x" * 129}, "Comanda-Request-Id"),
        ({"Comanda-Expires": "tomorrow"}, "Comanda-Expires"),
        ({"Comanda-Expires": "2026-05-04 12:00"}, "Comanda-Expires"),
        ({"Comanda-Expires": "2026-02-30T12:00:00Z"}, "Comanda-Expires"),
    ],
)
async def test_a_command_without_a_good_name_or_time_is_refused_with_the_header_at_fault(
    client: Client, database: Database, headers: dict[str, str | None], field: str
) -> None:
    async with Till(client) as till:
        status, problem = await till.ask("place-order", TAKEAWAY, **headers)
        await till.send("place-order", TAKEAWAY, **headers, **{"Comanda-Reply-To": None})
        good, _ = await till.ask("place-order", TAKEAWAY)

    letter = await client.jetstream().get_last_msg(
        DEAD_LETTERS.name, "dead-letters.v1.ordering.COMMANDS"
    )
    assert (status, problem["code"]) == (422, "invalid-request")
    assert [each["field"] for each in problem["errors"]] == [field]
    assert field in (letter.headers or {})["Comanda-Reason"]
    assert good == 201
    assert await database.rows("SELECT count(*) FROM orders") == [(1,)]


async def test_a_command_has_no_effect_after_its_time_and_the_answer_says_so(
    client: Client, clock: Clock, database: Database
) -> None:
    async with Till(client) as till:
        late = await till.ask("place-order", TAKEAWAY, **{"Comanda-Expires": PAST})
        offset = await till.ask("place-order", TAKEAWAY, **{"Comanda-Expires": PAST_IN_ROME})
        in_time = await till.ask("place-order", TAKEAWAY, **{"Comanda-Expires": SOON})
        clock.now = datetime.now(UTC) + timedelta(minutes=9)
        before_ten_minutes = await till.ask("place-order", TAKEAWAY)
        clock.now = datetime.now(UTC) + timedelta(minutes=11)
        after_ten_minutes = await till.ask("place-order", TAKEAWAY)

    for status, problem in (late, offset, after_ten_minutes):
        assert (status, problem["code"]) == (410, "command-expired")
    assert (in_time[0], before_ten_minutes[0]) == (201, 201)
    assert await database.rows("SELECT count(*) FROM orders") == [(2,)]


async def test_what_was_carried_out_in_time_is_answered_again_however_late(
    client: Client, clock: Clock
) -> None:
    name = {"Comanda-Request-Id": "till-1/17", "Comanda-Expires": SOON}
    async with Till(client) as till:
        first = await till.ask("place-order", TAKEAWAY, **name)
        clock.now = NOON + timedelta(hours=5)
        again = await till.ask("place-order", TAKEAWAY, **name)

    assert first[0] == 201
    assert again == first


@pytest.mark.parametrize(
    ("command", "body", "headers", "reason"),
    [
        ("place-order", b"\xff no JSON", {}, "body: not JSON"),
        ("place-order", b"[]", {}, "body: not a JSON object"),
        ("fly", b"{}", {}, "'fly' is not a command"),
        ("place-order", b"{}", {"Comanda-Reply-To": "orders.v1.x"}, "header Comanda-Reply-To"),
        *(
            ("place-order", b"{}", {"Comanda-Reply-To": subject}, "header Comanda-Reply-To")
            for subject in (
                *("replies.v1.>", "replies.v1.da-mario.till-1.5", "replies.v1.la-piazza"),
                *("replies.v1.la-piazza-2.till-1", "replies.v2.la-piazza.till-1", "replies.v1.x"),
            )
        ),
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
    async with Till(client) as till:
        for _ in range(5):
            await till.send("place-order", TAKEAWAY)
        await till.send(
            "place-order", TAKEAWAY, **{"Comanda-Request-Id": None, "Nats-Msg-Id": name}
        )
        answers = [await till.answer() for _ in range(6)]
        while (
            await till.send(
                "place-order", TAKEAWAY, **{"Comanda-Request-Id": None, "Nats-Msg-Id": name}
            )
        ).duplicate:
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
