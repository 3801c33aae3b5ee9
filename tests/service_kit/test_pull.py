"""A standing pull: what comes is handed over, whenever it comes and however large it is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from comanda_contracts import Message
from comanda_contracts.streams import MENU
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from service_kit.nats.jetstream import connected, publish_all
from service_kit.nats.pull import BYTES_MAX, EXPIRES_S, MESSAGES_MAX, Pull
from service_kit.nats.set_up import set_up_consumer, set_up_stream

from tests.conftest import NewNatsServer

LARGE_BYTES = 500_000


class DeliveringAtOnce:
    """A client whose message is there before the request for it is sent."""

    def __init__(self) -> None:
        self.options = {"user": None}

    def new_inbox(self) -> str:
        return "inbox"

    async def subscribe(self, _: str, cb: Any) -> "DeliveringAtOnce":
        self.hear = cb
        return self

    async def drain(self) -> None:
        """Nothing is on its way."""

    async def publish(self, *_: object) -> None:
        await self.hear(Msg(_client=None, subject="s", data=b"came"))  # type: ignore[arg-type]


async def test_a_message_that_comes_while_it_is_asked_for_is_not_waited_for() -> None:
    pull = Pull(DeliveringAtOnce(), "MENU", "test")  # type: ignore[arg-type]

    await pull.__aenter__()
    async with asyncio.timeout(EXPIRES_S / 2):
        (message,) = await pull.take()

    assert message.data == b"came"


@pytest.fixture
def nats_server(new_nats_server: NewNatsServer) -> Nats:
    return new_nats_server()


@pytest.fixture
async def client(nats_server: Nats) -> AsyncIterator[Client]:
    async with connected([nats_server.url], "test") as client:
        yield client


async def test_large_messages_are_taken_a_few_at_a_time_and_none_is_left(client: Client) -> None:
    js = client.jetstream()
    await set_up_stream(js, MENU, replicas=1)
    await set_up_consumer(js, MENU.name, "test", [MENU.subject])
    count = 3 * BYTES_MAX // LARGE_BYTES
    body = b"x" * LARGE_BYTES
    for _ in range(count):
        await publish_all(client, [Message("menu.v1.r.s.item-set", {}, body)])

    taken: list[Msg] = []
    largest_bytes = 0
    async with asyncio.timeout(30), Pull(client, MENU.name, "test") as pull:
        while len(taken) < count:
            batch = await pull.take()
            largest_bytes = max(largest_bytes, sum(len(each.data) for each in batch))
            for message in batch:
                await message.ack()
            taken += batch

    assert largest_bytes <= BYTES_MAX
    assert len(taken) == count


async def test_a_request_that_has_brought_all_it_may_is_followed_by_another(client: Client) -> None:
    js = client.jetstream()
    await set_up_stream(js, MENU, replicas=1)
    await set_up_consumer(js, MENU.name, "test", [MENU.subject])
    backlog = [Message("menu.v1.r.s.item-set", {}, b"") for _ in range(2 * MESSAGES_MAX)]
    await publish_all(client, backlog)

    async with asyncio.timeout(30), Pull(client, MENU.name, "test") as pull:
        taken = 0
        while taken < len(backlog):
            taken += len(await pull.take())
        next_one = asyncio.create_task(pull.take())
        await asyncio.wait([next_one], timeout=0.2)  # in which the requests are told to be used up
        await publish_all(client, backlog[:1])

        assert len(await next_one) == 1
