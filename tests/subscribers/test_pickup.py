"""The example subscribers tell every takeaway customer, whatever is killed meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import nats
import pytest
from comanda_contracts import subjects
from comanda_contracts.streams import MENU, ORDERS, RESTAURANTS, TICKETS
from comanda_local.stack import NATS_URL, Stack
from comanda_local.team_consumers import make_consumers
from comanda_local.teams import Team
from contract_release.readers import READERS

from tests.e2e.restaurant import Json, Refused, Restaurant
from tests.subscribers.conftest import READ_BY_PICKUP, Subscriber

pytestmark = [pytest.mark.xdist_group("pickup"), pytest.mark.timeout(300)]

BATCH = 100
"""Messages that both read at a time."""
PATIENCE = 90.0
"""Seconds; what was delivered to a killed process comes again after 10."""


def ready(restaurant: Restaurant, count: int) -> set[str]:
    """So many takeaway orders that are ready to be fetched; half of them have a second round."""
    orders = [restaurant.takeaway() for _ in range(count)]
    for order in orders[::2]:
        restaurant.add_round(order)
        cook(restaurant, order, 2)
    for order in orders:
        cook(restaurant, order, 1)
    return ids(orders)


def cook(restaurant: Restaurant, order: Json, round_number: int) -> None:
    """Make a round ready, even if serving has just lost its broker."""

    def moved(move: str) -> bool:
        try:
            restaurant.cook(order, round_number, move)
        except Refused as refusal:  # another refusal is that of a move that was done before
            return refusal.code != "store-unavailable"
        return True

    for move in ("start", "ready"):
        restaurant.until(partial(moved, move), PATIENCE)


def ids(orders: list[Json]) -> set[str]:
    return {order["order_id"] for order in orders}


async def test_every_customer_is_told_once_whatever_is_killed_meanwhile(
    stack: Stack, subscriber: Subscriber
) -> None:
    restaurant = Restaurant(stack)
    not_ready = [restaurant.takeaway() for _ in range(5)]
    for order in not_ready:
        cook(restaurant, order, 1)
    cook(restaurant, restaurant.dine_in(), 1)
    history = ready(restaurant, 10)
    for _ in range(BATCH):
        restaurant.dine_in()
    for order in not_ready:  # the kitchen has made what it had, but more was ordered
        restaurant.add_round(order)

    subscriber.process.start()
    restaurant.until(lambda: history <= subscriber.told().keys(), PATIENCE)
    so_far = subscriber.told()
    with ThreadPoolExecutor() as kitchen:
        rush = kitchen.submit(ready, restaurant, 60)
        restaurant.until(lambda: subscriber.told() > so_far, PATIENCE)
        subscriber.process.kill()
        told_before_the_kill = subscriber.told()
    subscriber.process.start()
    stack.servers[NATS_URL].kill()
    stack.servers[NATS_URL].start()
    after_the_broker = ready(restaurant, 5)

    everybody = history | rush.result() | after_the_broker
    restaurant.until(lambda: everybody <= subscriber.told().keys(), PATIENCE)
    told = subscriber.told()
    assert not rush.result() <= told_before_the_kill.keys(), "it must come in the middle"
    assert not ids(not_ready) & told.keys()
    assert {order_id: told[order_id] for order_id in everybody} == dict.fromkeys(everybody, 1)
    assert subscriber.process.stop() == 0


async def test_a_round_that_was_cancelled_is_not_waited_for(
    stack: Stack, subscriber: Subscriber
) -> None:
    restaurant = Restaurant(stack)
    subscriber.process.start()
    order = restaurant.takeaway()
    cook(restaurant, order, 1)
    restaurant.cancel(restaurant.add_round(order), 2)

    restaurant.until(lambda: order["order_id"] in subscriber.told(), PATIENCE)

    assert subscriber.told()[order["order_id"]] == 1


async def test_what_cannot_be_read_is_put_aside_and_what_is_not_known_skipped(
    stack: Stack, subscriber: Subscriber
) -> None:
    restaurant = Restaurant(stack)
    subject = f"orders.v1.{restaurant.slug}.no-order.placed"
    async with await nats.connect(stack.urls[NATS_URL]) as client:
        stored = {}
        for event_type in ("", "../headers", "comanda.order.placed.v1", "comanda.order.new.v9"):
            headers = {"ce-type": event_type} if event_type else None
            told = await client.jetstream().publish(subject, b"{}", headers=headers)
            stored[event_type] = (told.stream, told.seq)
    subscriber.process.start()
    order_ids = ready(restaurant, 1)

    restaurant.until(lambda: order_ids <= subscriber.told().keys(), PATIENCE)

    assert subscriber.process.alive
    unreadable = {stored[""], stored["comanda.order.placed.v1"]}
    assert subscriber.aside() & set(stored.values()) == unreadable


async def test_one_whose_consumer_is_deleted_fails_and_begins_anew_once_it_is_made_again(
    stack: Stack, subscriber: Subscriber
) -> None:
    restaurant = Restaurant(stack)
    subscriber.process.start()
    before = ready(restaurant, 1)
    restaurant.until(lambda: before <= subscriber.told().keys(), PATIENCE)

    async with await nats.connect(stack.urls[NATS_URL]) as client:
        await client.jetstream().delete_consumer(TICKETS.name, subscriber.name)
    restaurant.until(lambda: not subscriber.process.alive, PATIENCE)
    assert subscriber.process.exit_code == 1
    team = Team.of(subscriber.name, READ_BY_PICKUP)
    await make_consumers(stack.urls[NATS_URL], [team])
    subscriber.process.start()
    after = ready(restaurant, 1)

    restaurant.until(lambda: after <= subscriber.told().keys(), PATIENCE)
    assert {subscriber.told()[order_id] for order_id in before | after} == {1}


async def test_the_gate_knows_who_reads_what(stack: Stack) -> None:
    """But for the guide's programs, which are let in for a test alone."""
    async with await nats.connect(stack.urls[NATS_URL]) as client:
        consumers = [
            info
            for stream in (ORDERS, TICKETS, MENU, RESTAURANTS)
            for info in await client.jetstream().consumers_info(stream.name)
        ]

    durables = {
        (str(info.name).removesuffix("-forgetting"), subject)
        for info in consumers
        if info.config.durable_name and not str(info.name).startswith("guide-")
        for subject in info.config.filter_subjects or [str(info.config.filter_subject)]
    }
    assert ("query", MENU.subject) in durables
    unknown = [
        (reader, subject)
        for reader, subject in durables
        if not any(subjects.covers(pattern, subject) for pattern in READERS[reader])
    ]
    assert unknown == []
