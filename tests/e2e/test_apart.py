"""Each service does its job while the others are away, and nothing is missing when they return."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterator

import nats
import pytest
from comanda_contracts import read
from comanda_contracts.streams import DEAD_LETTERS, ORDERS
from comanda_local.folders import temporary_folder
from comanda_local.stack import NATS_URL, Stack
from nats.aio.msg import Msg

from tests.e2e.restaurant import Json, Restaurant

pytestmark = pytest.mark.xdist_group("stack")

BACKLOG = 600
"""Orders that wait in the outbox, with two events each, when the relay is killed."""


def start(stack: Stack, *names: str) -> None:
    for name in names:
        stack.services[name].start()
    for name in names:
        stack.services[name].wait_until_ready()


@pytest.fixture
def own_stack() -> Iterator[Stack]:
    """A stack for a test that kills more than it can hand on."""
    with temporary_folder() as folder, Stack(folder, environment={}) as stack:
        yield stack


def test_orders_are_taken_with_everybody_else_away(stack: Stack, restaurant: Restaurant) -> None:
    for name in ("serving", "query"):
        stack.services[name].stop()

    orders = [restaurant.add_round(restaurant.takeaway()) for _ in range(10)]
    start(stack, "serving", "query")

    for order in orders:
        assert len(restaurant.view(order)["rounds"]) == 2
    restaurant.until(lambda: len(restaurant.queue()) == 20)


def test_the_kitchen_works_with_everybody_else_away(stack: Stack, restaurant: Restaurant) -> None:
    orders = [restaurant.takeaway() for _ in range(5)]
    restaurant.until(lambda: len(restaurant.queue()) == 5)
    for name in ("ordering", "query"):
        stack.services[name].stop()

    for order in orders:
        restaurant.cook(order, 1)
    start(stack, "ordering", "query")

    for order in orders:
        restaurant.shows(order | {"version": 2}, "closed")


def test_questions_are_answered_with_everybody_else_away(
    stack: Stack, restaurant: Restaurant
) -> None:
    order = restaurant.takeaway()
    restaurant.view(order)
    for name in ("ordering", "serving"):
        stack.services[name].stop()

    seen = restaurant.view(order)
    start(stack, "ordering", "serving")

    assert seen["number"] == "A-001"
    restaurant.cook(order, 1)
    restaurant.shows(order | {"version": 2}, "closed")


def test_a_cancellation_is_settled_once_the_kitchen_is_back(
    stack: Stack, restaurant: Restaurant
) -> None:
    order = restaurant.dine_in()
    stack.services["serving"].stop()
    asked = restaurant.cancel(order)
    assert restaurant.view(asked)["status"] == "cancelling"

    start(stack, "serving")

    restaurant.shows(asked, "cancelled")


async def test_what_can_not_be_read_is_set_aside_and_the_next_order_is_served(
    stack: Stack, restaurant: Restaurant
) -> None:
    async with await nats.connect(stack.urls[NATS_URL]) as client:
        js = client.jetstream()
        subject = f"orders.v1.{restaurant.slug}.no-order.placed"

        await js.publish(subject, b"\x00 no JSON", headers={"ce-type": "comanda.order.placed.v1"})
        order = await asyncio.to_thread(restaurant.takeaway)
        await asyncio.to_thread(restaurant.cook, order, 1)
        await asyncio.to_thread(restaurant.shows, order | {"version": 2}, "closed")

        for service in ("serving", "query"):
            letter = await js.get_last_msg(DEAD_LETTERS.name, f"dead-letters.v1.{service}.ORDERS")
            assert letter.headers is not None
            assert letter.headers["Comanda-Subject"] == subject
            assert "Invalid JSON" in letter.headers["Comanda-Reason"]
            assert letter.data == b"\x00 no JSON"


async def test_a_relay_killed_in_a_backlog_loses_nothing_and_repeats_nothing(
    own_stack: Stack,
) -> None:
    restaurant = await asyncio.to_thread(Restaurant, own_stack)
    ordering = own_stack.services["ordering"]
    orders: list[Json] = []
    in_the_middle = False

    while not in_the_middle:  # the relay may be done before it is killed
        before = await stored(own_stack)
        orders += await backlog_of(restaurant, own_stack)
        await until_stored(own_stack, before + 200)
        await asyncio.to_thread(ordering.kill)
        in_the_middle = await stored(own_stack) < 2 * len(orders)
        await asyncio.to_thread(start, own_stack, "ordering")
    await until_stored(own_stack, 2 * len(orders))

    heard = await everything_on(own_stack)
    versions = defaultdict(list)
    for message in heard:
        event = read(message.headers, message.data)
        versions[event.key].append(event.state.version)
    assert versions == {order["order_id"]: [1, 2] for order in orders}
    assert max(Counter(ce_id(message) for message in heard).values()) == 1
    for order in orders[:: len(orders) // 20]:
        view = await asyncio.to_thread(restaurant.view, order)
        assert json.dumps(view["rounds"]).count("margherita") == 2


async def backlog_of(restaurant: Restaurant, stack: Stack) -> list[Json]:
    """Orders that wait in the outbox; the broker, which was away, is back."""
    broker = stack.servers[NATS_URL]
    await asyncio.to_thread(broker.kill)
    orders = await restaurant.place_many(BACKLOG)
    await asyncio.to_thread(broker.start)
    return orders


async def stored(stack: Stack) -> int:
    async with await nats.connect(stack.urls[NATS_URL]) as client:
        return (await client.jetstream().stream_info(ORDERS.name)).state.messages


async def until_stored(stack: Stack, count: int) -> None:
    async with asyncio.timeout(60), await nats.connect(stack.urls[NATS_URL]) as client:
        while (await client.jetstream().stream_info(ORDERS.name)).state.messages < count:
            await asyncio.sleep(0.002)


async def everything_on(stack: Stack) -> list[Msg]:
    """What a new subscriber hears of the orders."""
    async with await nats.connect(stack.urls[NATS_URL]) as client:
        js = client.jetstream()
        count = (await js.stream_info(ORDERS.name)).state.messages
        subscription = await js.subscribe(ORDERS.subject, ordered_consumer=True)
        return [await subscription.next_msg(timeout=60) for _ in range(count)]


def ce_id(message: Msg) -> str:
    assert message.headers is not None
    return message.headers["ce-id"]
