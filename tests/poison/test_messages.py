"""Poison beside good traffic: it ends exactly once, and nothing good is lost or left waiting."""

import asyncio
import contextlib
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, assert_never

import httpx
import nats
import pytest
from comanda_contracts import subjects
from comanda_contracts.streams import DEAD_LETTERS
from comanda_local.access import EVERYWHERE
from comanda_local.servers import Nats
from comanda_local.stack import NATS_URL, Stack
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from service_kit.nats.jetstream import ACK_WAIT

from tests.e2e.restaurant import Restaurant, lines
from tests.poison.corpus import MESSAGES, NEXT_REPLY, NEXT_TOKEN, NOBODYS, RESTAURANT, Ends, Poison
from tests.poison.wire import RawPublisher
from tests.support.eventually import eventually
from tests.support.operators import run
from tests.support.tokens import bearer, token

pytestmark = pytest.mark.xdist_group("poison")

CONSUMERS = {
    "COMMANDS": ("ordering",),
    "ORDERS": ("serving", "query"),
    "TICKETS": ("ordering", "query"),
    "MENU": ("query",),
    "RESTAURANTS": ("query",),
}
"""Who consumes each stream by a durable of its name."""
ANSWERS = "replies.v1.la-piazza.1"
"""Below which the till of `la-piazza` hears answers."""
TILLS = (RESTAURANT, NOBODYS)
"""The restaurants of the tills that hear the answers to poison."""
WAIT_MAX_S = ACK_WAIT - 5
"""For any answer to a good command: sooner than what was left lying would come again."""

Place = tuple[str, int]
"""A stream and a sequence."""


@pytest.fixture
async def operator(stack: Stack) -> AsyncIterator[Client]:
    async with await nats.connect(stack.servers[NATS_URL].url) as client:
        yield client


@dataclass
class Till:
    """The till of a good restaurant; the answers to poison are counted here as well."""

    client: Client
    bearer: dict[str, str]
    answers: Counter[str] = field(default_factory=Counter)
    orders: list[dict[str, Any]] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    _sent_at: dict[str, float] = field(default_factory=dict)

    async def hear(self, message: Msg) -> None:
        self.answers[message.subject] += 1
        if sent_at := self._sent_at.get(message.subject):
            assert (message.headers or {})["Comanda-Status"] == "201", message.data
            self.waits_s.append(time.monotonic() - sent_at)
            self.orders.append(json.loads(message.data))

    async def order(self) -> None:
        reply = f"{ANSWERS}.good-{uuid.uuid4().hex}"
        self._sent_at[reply] = time.monotonic()
        body = {"channel": "takeaway", "customer": "Ada", "lines": lines()}
        headers = {"Comanda-Reply-To": reply, "Nats-Msg-Id": uuid.uuid4().hex, **self.bearer}
        subject = subjects.command("la-piazza", "place-order")
        await self.client.jetstream().publish(subject, json.dumps(body).encode(), headers=headers)

    @property
    def unanswered(self) -> int:
        return len(self._sent_at) - len(self.orders)


async def test_poison_ends_exactly_once_and_good_traffic_does_not_feel_it(
    stack: Stack, operator: Client
) -> None:
    await asyncio.to_thread(Restaurant, stack, RESTAURANT)
    till_restaurant = await asyncio.to_thread(Restaurant, stack, "la-piazza")
    other = await asyncio.to_thread(Restaurant, stack)
    server = stack.servers[NATS_URL]
    assert isinstance(server, Nats)
    allowed = token({EVERYWHERE: ["till", "act-as"]}, subject="mallory", issuer=stack.issuer)
    sent: dict[Place, tuple[Poison, str]] = {}
    at_tables: list[dict[str, Any]] = []

    async with contextlib.AsyncExitStack() as tills:
        client = await tills.enter_async_context(
            await nats.connect(**server.login_of("till-la-piazza-1"), inbox_prefix=ANSWERS)
        )
        till = Till(client, bearer({"la-piazza": ["till"]}, issuer=stack.issuer))
        await client.subscribe(f"{ANSWERS}.>", cb=till.hear)
        for each in TILLS:
            login = server.login_of(f"till-{each}-1")
            listening = await tills.enter_async_context(await nats.connect(**login))
            await listening.subscribe(f"replies.v1.{each}.1.>", cb=till.hear)
        async with RawPublisher.connected(server.url) as publisher:
            for number, poison in enumerate(MESSAGES):
                reply = f"replies.v1.{_restaurant_of(poison)}.1.poison-{number}"
                headers = poison.headers.replace(NEXT_REPLY.encode(), reply.encode())
                headers = headers.replace(NEXT_TOKEN.encode(), allowed.encode())
                stored = await publisher.publish(poison.subject, headers, poison.body)
                assert "error" not in stored, (poison.name, stored)
                sent[stored["stream"], stored["seq"]] = (poison, reply)
                await till.order()
                if number % 10 == 0:
                    at_tables.append(await asyncio.to_thread(other.dine_in))
        await eventually(lambda: _is_zero(till))
        await _all_is_settled(operator.jetstream())

    letters = await _letters(operator.jetstream())
    ends = [
        (poison.name, place, _reasons(place, letters), till.answers[reply])
        for place, (poison, reply) in sent.items()
        if not _ended_once(poison, place, letters, till.answers[reply])
    ]
    assert ends == []
    assert {place for place, _ in letters} <= set(sent), "nothing good was set aside"
    assert max(till.waits_s) < WAIT_MAX_S
    assert len(till.orders) == len(MESSAGES)
    await asyncio.to_thread(is_served_and_shown, other, at_tables)
    await asyncio.to_thread(is_served_and_shown, till_restaurant, till.orders[-10:])
    for name, service in stack.services.items():
        await eventually(partial(is_ready, service.url))
        await _an_operator_reads_the_letters(name, server)


def _restaurant_of(poison: Poison) -> str:
    """The one whose till hears the answer, if there is to be one."""
    named = poison.subject.split(b".")[2].decode(errors="replace")
    return named if named in TILLS else RESTAURANT


async def _an_operator_reads_the_letters(service: str, server: Nats) -> None:
    """With the rights of the service's operator, and nothing that a terminal would obey."""
    user = f"{service}-operator"
    login = {"nats_url": server.url_of(user), "nats_nkey": str(server.seed_file_of(user))}
    listed = await run(service, "dead-letters", "list", **login)

    assert (listed.code, len(listed.output.splitlines()) > 1) == (0, True), listed.notes
    assert all(line.isprintable() for line in listed.output.splitlines())
    if service == "serving":
        unknown = ("dead-letters", "replay", "--reason", "unknown-type")
        replayed = await run(service, *unknown, **login)
        assert replayed.code == 1
        assert {line.rpartition("' ")[2] for line in replayed.output.splitlines()} == {
            "is not known"
        }, replayed


async def is_ready(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{url}/health/ready")
    return answer.status_code == httpx.codes.OK and answer.json()["status"] == "ready"


Letters = dict[tuple[Place, str], list[str]]
"""The reasons of the letters, by the place of their message and who set it aside."""


def _reasons(place: Place, letters: Letters) -> dict[str, list[str]]:
    return {service: letters.get((place, service), []) for service in CONSUMERS[place[0]]}


def _ended_once(poison: Poison, place: Place, letters: Letters, answers: int) -> bool:
    by_service = _reasons(place, letters)
    reasons = [reason for each in by_service.values() for reason in each]
    reached = _reached_by(poison, place[0])
    is_unknown = {reason == "unknown-type" for reason in reasons}
    if any(len(each) > 1 for each in by_service.values()):
        return False
    match poison.ends:
        case Ends.ANSWERED:
            return (answers, reasons) == (1, [])
        case Ends.SET_ASIDE:
            return (answers, len(reasons), is_unknown) == (0, len(reached), {False})
        case Ends.UNKNOWN:
            return (answers, len(reasons), is_unknown) == (0, len(reached), {True})
        case Ends.ANYHOW:
            return answers + len(reasons) <= len(reached)
        case _:
            assert_never(poison.ends)


def _reached_by(poison: Poison, stream: str) -> list[str]:
    """The consumers whose filters let the subject through."""
    name = poison.subject.rpartition(b".")[2].decode()
    narrow = {
        ("ORDERS", "serving"): ("placed", "items-added", "cancellation-requested", "restated"),
        ("TICKETS", "ordering"): ("served", "voided", "void-refused", "abandoned"),
    }
    return [
        service for service in CONSUMERS[stream] if name in narrow.get((stream, service), (name,))
    ]


async def _is_zero(till: Till) -> bool:
    return till.unanswered == 0


async def _all_is_settled(js: JetStreamContext) -> None:
    async def settled() -> bool:
        for stream, services in CONSUMERS.items():
            for service in services:
                info = await js.consumer_info(stream, service)
                if info.num_pending or info.num_ack_pending:
                    return False
        return True

    await eventually(settled, within=90)


async def _letters(js: JetStreamContext) -> Letters:
    found: Letters = {}
    number = 0
    while True:
        try:
            letter = await js.get_msg(
                DEAD_LETTERS.name, number + 1, subject=">", direct=True, next=True
            )
        except NotFoundError:
            return found
        number = letter.seq or 0
        headers = letter.headers or {}
        place = (headers["Comanda-Stream"], int(headers["Comanda-Sequence"]))
        service = subjects.parse_dead_letter(letter.subject or "").service
        found.setdefault((place, service), []).append(headers["Comanda-Reason"])
        assert headers["Comanda-Reason"].isprintable()


def is_served_and_shown(restaurant: Restaurant, orders: list[dict[str, Any]]) -> None:
    for order in orders:
        restaurant.cook(order, 1)
        restaurant.until(partial(_is_over, restaurant, order))


def _is_over(restaurant: Restaurant, order: dict[str, Any]) -> bool:
    return restaurant.view(order)["status"] in ("served", "closed")
