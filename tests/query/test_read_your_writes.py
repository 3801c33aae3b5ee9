"""Reading one's own write: with `min_version` the answer waits until the view has it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from comanda_contracts import Order
from comanda_local.servers import MongoDB
from pymongo.monitoring import CommandListener, CommandStartedEvent
from query.live import version_waiter
from query.live.change_stream import ChangeStream
from query.live.version_waiter import ChangeStreamVersionWaiter
from query.storage.client import Client, Database, connect
from query.storage.generations import Generations
from query.storage.orders.store import MongoOrders
from query.views.merge import Document
from query.views.orders.presentation import version_of
from query.views.ports import StoreUnavailable
from service_kit.runtime.components import Component, running

from tests.query.builders import an_order, closed, its_ticket, news_of, placed
from tests.query.conftest import answering, store
from tests.support.eventually import eventually

LONG = 60.0
"""Seconds: who waits that long was not woken."""

Read = Callable[[], Awaitable[Document | None]]


@pytest.fixture
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers learn of changes from the change stream alone."""
    monkeypatch.setattr(version_waiter, "POLL_INTERVAL_S", LONG)


@pytest.fixture
async def waiter(database: Database) -> AsyncIterator[ChangeStreamVersionWaiter]:
    changes = ChangeStream(Generations(database))
    waiter = ChangeStreamVersionWaiter(changes)
    async with running([Component("changes", changes.run)]):
        yield waiter


async def read(
    waiter: ChangeStreamVersionWaiter, order: Order, look: Read, *, within: float = LONG
) -> int:
    """The version that is seen in the end by one who waits for version 2."""

    def closed_by_now(document: Document | None) -> bool:
        return document is not None and version_of(document) >= 2

    async with asyncio.timeout(LONG / 2):
        seen = await waiter.read_until(
            order.restaurant, str(order.order_id), look, closed_by_now, within
        )
    return version_of(seen) if seen else 0


def looking_at(orders: MongoOrders, order: Order) -> tuple[Read, asyncio.Event]:
    """A look at the order, and an event that is set once somebody has looked."""
    looked = asyncio.Event()

    async def look() -> Document | None:
        document = await orders.one(str(order.order_id))
        looked.set()
        return document

    return look, looked


def as_often_as_it_takes(look: Read) -> Read:
    """The look, again and again while the store is away."""

    async def look_again() -> Document | None:
        while True:
            with contextlib.suppress(StoreUnavailable):
                return await look()

    return look_again


@pytest.mark.usefixtures("no_polling")
async def test_a_reader_is_woken_by_what_another_replica_writes(
    orders: MongoOrders, waiter: ChangeStreamVersionWaiter, fresh_mongodb_url: str
) -> None:
    order = an_order()
    look, looked = looking_at(orders, order)
    reading = asyncio.create_task(read(waiter, order, look))
    await looked.wait()

    client, database = connect(fresh_mongodb_url)
    async with client:
        replica = MongoOrders(Generations(database))
        await store(replica, placed(order))
        await store(replica, closed(order))

    assert await reading == 2


@pytest.mark.usefixtures("no_polling")
async def test_a_change_right_after_the_look_wakes_the_reader(
    orders: MongoOrders, waiter: ChangeStreamVersionWaiter
) -> None:
    order = an_order()
    look, looked = looking_at(orders, order)
    other = asyncio.create_task(read(waiter, order, look))
    await looked.wait()

    async def look_and_have_it_changed_meanwhile() -> Document | None:
        document = await look()
        await store(orders, closed(order))
        await other  # so the news of it was given out before this look is even over
        return document

    assert await read(waiter, order, look_and_have_it_changed_meanwhile) == 2


@pytest.mark.usefixtures("no_polling")
async def test_a_reader_is_still_woken_after_mongodb_was_killed(own_mongodb: MongoDB) -> None:
    client, database = connect(own_mongodb.url)
    generations, order = Generations(database), an_order()
    changes = ChangeStream(generations)
    orders, waiter = MongoOrders(generations), ChangeStreamVersionWaiter(changes)
    look, looked = looking_at(orders, order)

    async with client, running([Component("changes", changes.run)]):
        reading = asyncio.create_task(read(waiter, order, as_often_as_it_takes(look)))
        await looked.wait()
        await asyncio.to_thread(own_mongodb.kill)
        await asyncio.to_thread(own_mongodb.start)
        await store(orders, closed(order))

        assert await reading == 2


async def test_a_reader_looks_again_where_there_is_no_news(
    database: Database, orders: MongoOrders
) -> None:
    order = an_order()
    look, looked = looking_at(orders, order)
    reading = asyncio.create_task(
        read(ChangeStreamVersionWaiter(ChangeStream(Generations(database))), order, look)
    )
    await looked.wait()

    await store(orders, closed(order))

    assert await reading == 2


async def test_a_reader_gets_what_there_is_when_its_time_is_up(
    orders: MongoOrders, waiter: ChangeStreamVersionWaiter
) -> None:
    order = an_order()
    await store(orders, placed(order))
    look, _ = looking_at(orders, order)

    assert await read(waiter, order, look, within=0.2) == 1


class ChangeStreams(CommandListener):
    """Counts the change streams that a client opens."""

    def __init__(self) -> None:
        self.opened = 0

    async def number(self) -> int:
        return self.opened

    def started(self, event: CommandStartedEvent) -> None:
        self.opened += "$changeStream" in str(event.command.get("pipeline"))

    def succeeded(self, event: object) -> None: ...
    def failed(self, event: object) -> None: ...


async def test_nothing_is_followed_until_somebody_has_to_wait(fresh_mongodb_url: str) -> None:
    streams, order = ChangeStreams(), an_order()
    client = Client(fresh_mongodb_url, event_listeners=[streams])
    generations = Generations(client.get_default_database())
    changes = ChangeStream(generations)
    orders, waiter = MongoOrders(generations), ChangeStreamVersionWaiter(changes)
    look, _ = looking_at(orders, order)

    async with client, running([Component("changes", changes.run)]):
        await store(orders, closed(order))
        await read(waiter, order, look)
        assert streams.opened == 0

        await read(waiter, an_order(), looking_at(orders, an_order())[0], within=0.1)
        await eventually(streams.number, lambda opened: opened > 0)
        assert streams.opened == 1


async def test_an_answer_waits_for_the_version_that_was_asked_for(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant)
    await store(orders, placed(order))
    url = f"/v1/restaurants/{restaurant}/orders/{order.order_id}?min_version=2"

    answer, _ = await asyncio.gather(query.get(url), store(orders, closed(order)))

    assert answer.status_code == 200
    assert answer.json()["version"] == 2


async def test_who_waited_in_vain_is_told_which_version_there_is(
    fresh_mongodb_url: str, orders: MongoOrders, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant, version=3)
    await store(orders, placed(order))

    async with answering(fresh_mongodb_url, min_version_wait=0.2) as query:
        url = f"/v1/restaurants/{restaurant}/orders/{order.order_id}?min_version=5"
        answer = await query.get(url)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    problem = answer.json()
    assert (problem["code"], problem["version"], problem["min_version"]) == ("behind", 3, 5)


@pytest.mark.parametrize("ticket_came", [False, True])
async def test_an_order_that_has_not_come_yet_is_behind_in_the_end(
    fresh_mongodb_url: str, orders: MongoOrders, restaurant: str, ticket_came: bool
) -> None:
    order = an_order(restaurant=restaurant)
    if ticket_came:
        await store(orders, news_of(its_ticket(order)))

    async with answering(fresh_mongodb_url, min_version_wait=0.2) as query:
        url = f"/v1/restaurants/{restaurant}/orders/{order.order_id}?min_version=1"
        answer = await query.get(url)

    problem = answer.json()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert (problem["code"], problem["version"], problem["min_version"]) == ("behind", 0, 1)
