"""What was said before a guest was forgotten is erased, in a stream and in its archive."""

from collections.abc import AsyncIterator

import pytest
from comanda_contracts import (
    OrderCancelled,
    OrderForgotten,
    OrderPlaced,
    examples,
    seal,
    subjects,
)
from comanda_contracts.streams import ORDERS, ORDERS_ARCHIVE
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from service_kit.nats.erasure import Scope, StoredMessage, erase, messages_before
from service_kit.nats.set_up import set_up_archive
from uuid_utils.compat import uuid7

from tests.conftest import NewNatsServer
from tests.support.eventually import eventually
from tests.support.streams import client_with

ORDER = examples.TAKEAWAY
EVENTS = [
    OrderPlaced(at=ORDER.placed_at, order=examples.ORDER),  # another's: the stream begins with it
    OrderPlaced(at=ORDER.placed_at, order=ORDER),
    OrderCancelled(at=ORDER.placed_at, order=examples.CANCELLED, reason="rang off"),
    OrderForgotten(at=ORDER.placed_at, order=examples.FORGOTTEN),
]
SCOPE = Scope(
    ORDERS,
    subjects.order(ORDER.restaurant, ORDER.order_id, "*"),
    subjects.archived_order(ORDER.restaurant, "*"),
    str(ORDER.order_id),
    ORDER.placed_at,
)


@pytest.fixture
async def client(new_nats_server: NewNatsServer) -> AsyncIterator[Client]:
    """With an order's events, the last of which says that its guest is forgotten."""
    async with client_with(ORDERS, server=new_nats_server()) as client:
        js = client.jetstream()
        await set_up_archive(js, ORDERS_ARCHIVE, replicas=1)
        for event in EVENTS:
            message = seal(event, event_id=uuid7())
            await js.publish(message.subject, message.body, headers=dict(message.headers))
        await eventually(lambda: _has(js, ORDERS_ARCHIVE.name, len(EVENTS)))
        yield client


async def _has(js: JetStreamContext, stream: str, sequence: int) -> bool:
    try:
        await js.get_msg(stream, sequence)
    except NotFoundError:
        return False
    return True


async def left(js: JetStreamContext) -> list[list[int]]:
    """The sequences of the messages that the stream has, and its archive."""
    every = range(1, len(EVENTS) + 1)
    return [
        [each for each in every if await _has(js, stream.name, each)]
        for stream in (ORDERS, ORDERS_ARCHIVE)
    ]


async def forget(client: Client) -> None:
    await erase(client, ORDERS, await messages_before(client, SCOPE, len(EVENTS)))


async def test_only_the_last_message_is_left(client: Client) -> None:
    await forget(client)

    assert await left(client.jetstream()) == [[1, len(EVENTS)]] * 2


async def test_an_archive_that_has_again_what_its_stream_is_rid_of_is_rid_of_it_too(
    client: Client,
) -> None:
    js = client.jetstream()
    for sequence in range(2, len(EVENTS)):  # as if an older copy of the archive had come back
        await js.delete_msg(ORDERS.name, sequence)

    await forget(client)

    assert await left(js) == [[1, len(EVENTS)]] * 2


async def test_another_message_in_the_place_of_one_that_is_to_be_erased_stays(
    client: Client,
) -> None:
    before = await left(client.jetstream())

    await erase(client, ORDERS, [StoredMessage(2, {}, b"of another backup")])

    assert await left(client.jetstream()) == before
