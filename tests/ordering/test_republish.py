"""`python -m ordering republish`: what the streams lost is said again, once, as it is now."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from comanda_contracts.streams import MENU, ORDERS, RESTAURANTS, Stream
from comanda_local.servers import Nats
from nats.js import JetStreamContext
from ordering.outbound.republish import restatements as module
from ordering.outbound.republish.restatements import FROM_THE_BEGINNING, Restatements, Scope
from service_kit.runtime.clock import utc_now
from service_kit.runtime.components import running
from uuid_utils.compat import uuid7

from tests.ordering.builders import NOON
from tests.ordering.conftest import Database
from tests.ordering.relaying import a_relay, messages, outbox_is_empty, set_up_streams
from tests.ordering.use_cases import open_la_piazza, placing, taking_verdict, withdrawing
from tests.support.eventually import eventually
from tests.support.operators import run

LAST_DAY = Scope(NOON - timedelta(days=1), NOON + timedelta(days=1))
ALL = Scope(FROM_THE_BEGINNING, NOON + timedelta(days=1))
LONG_AGO = NOON - timedelta(days=40)


def republishing(database: Database) -> Restatements:
    return Restatements(database.engine, new_id=uuid7, clock=utc_now)


async def place(database: Database, at: datetime = NOON, *, is_closed: bool = False) -> UUID:
    store = database.replica()
    order = await store.run(placing(at=at))
    if is_closed:
        await store.run(taking_verdict(order.order_id, 1))
    return order.order_id


async def wipe(js: JetStreamContext, server: Nats) -> None:
    """Have the streams made anew; what ordering keeps for five minutes is older than that."""
    for stream in (ORDERS, MENU, RESTAURANTS):
        await js.delete_stream(stream.name)
    await set_up_streams(server)


async def bodies(js: JetStreamContext, stream: Stream) -> list[tuple[str, Any]]:
    """The names of the events on the stream, and what they say."""
    found = await messages(js, stream)
    return [(each.subject.rpartition(".")[2], orjson.loads(each.data)) for each in found]


async def test_what_is_open_is_restated_with_restaurants_and_menus_through_the_relay(
    database: Database, nats_server: Nats, js: JetStreamContext
) -> None:
    await open_la_piazza(database.replica())
    await database.replica().run(withdrawing("cola"))
    still_open, ended = await place(database, LONG_AGO), await place(database, is_closed=True)
    before = await place(database, LONG_AGO, is_closed=True)
    async with running([a_relay(database, nats_server)]):
        await eventually(outbox_is_empty(database))
    await database.administer("DELETE FROM outbox")  # as after five minutes
    await wipe(js, nats_server)

    async with running([a_relay(database, nats_server)]):
        await republishing(database).restate(LAST_DAY)
        await eventually(outbox_is_empty(database))

    orders = [body["order"] | body for name, body in await bodies(js, ORDERS) if name == "restated"]
    restated = {
        each["order_id"]: (each["version"], each["open_rounds"], each["served_rounds"])
        for each in orders
    }
    assert restated == {str(still_open): (2, [1], []), str(ended): (3, [], [1])}
    assert str(before) not in restated
    [(_, restaurant)] = await bodies(js, RESTAURANTS)
    assert restaurant["restaurant"]["version"] == 2
    items = [(name, body["item"]["sku"]) for name, body in await bodies(js, MENU)]
    assert sorted(items) == [("item-set", "margherita"), ("item-withdrawn", "cola")]
    assert not [name for name, _ in await bodies(js, ORDERS) if name == "placed"]


async def test_all_orders_are_restated_if_history_is_to_come_back(database: Database) -> None:
    await open_la_piazza(database.replica())
    orders = [await place(database, LONG_AGO, is_closed=True), await place(database)]

    restatements = republishing(database)
    await restatements.restate(ALL)

    assert await database.rows("SELECT id FROM orders WHERE version > 2 ORDER BY id") == [
        (orders[0],)
    ]
    assert await republishing(database).count(ALL) == restatements.done
    assert (restatements.done.orders, restatements.done.unfinished) == (2, 1)


async def test_it_may_be_interrupted_and_repeated_and_every_order_is_said_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_ROWS", 4)
    monkeypatch.setattr(module, "IN_FLIGHT", 3)
    await open_la_piazza(database.replica())
    for _ in range(10):
        await place(database)
    interrupted = republishing(database)
    done = asyncio.create_task(interrupted.restate(LAST_DAY))
    while not interrupted.done.orders:
        await asyncio.sleep(0)
    done.cancel()
    await asyncio.gather(done, return_exceptions=True)

    again = republishing(database)
    await again.restate(LAST_DAY)

    restated = await database.rows(
        "SELECT aggregate, array_agg(convert_from(body, 'UTF8')::jsonb #>> '{order,version}'"
        " ORDER BY id) FROM outbox WHERE subject LIKE 'orders.%.restated' GROUP BY aggregate"
    )
    assert again.done.orders == 10
    assert len(restated) == 10
    assert all(each in (["2"], ["2", "3"]) for _, each in restated)


async def test_it_waits_for_the_relay_so_that_what_is_ordered_now_is_not_behind_all(
    database: Database, nats_server: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKLOG_MAX_EVENTS", 5)
    await open_la_piazza(database.replica())
    for _ in range(5):
        await place(database)
    is_waiting = asyncio.Event()
    restatements = Restatements(
        database.engine, new_id=uuid7, clock=utc_now, waits_for_relay=is_waiting.set
    )

    done = asyncio.create_task(restatements.restate(LAST_DAY))
    await is_waiting.wait()
    assert restatements.done.restaurants == 0
    async with running([a_relay(database, nats_server)]):
        await done

    assert restatements.done.orders == 5


async def test_the_command_counts_before_it_changes_anything(database: Database) -> None:
    await open_la_piazza(database.replica())
    await place(database, utc_now() - timedelta(hours=1))

    counted = await run("ordering", "republish", "--dry-run", database_url=database.url)
    [(waiting,)] = await database.rows("SELECT count(*) FROM outbox")
    restated = await run("ordering", "republish", database_url=database.url)

    assert (counted.code, waiting) == (0, 4)
    assert counted.output == "There are 1 restaurants, 2 menu items and 1 orders (1 not over).\n"
    assert restated.output == "Restated 1 restaurants, 2 menu items and 1 orders (1 not over).\n"
    assert await database.rows("SELECT count(*) FROM outbox") == [(8,)]


@pytest.mark.servers
async def test_without_its_database_it_says_so_and_how_to_go_on() -> None:
    ended = await run(
        "ordering", "republish", database_url="postgresql+asyncpg://nobody@localhost:1/none"
    )

    assert ended.code == 1
    assert "PostgreSQL:" in ended.notes
    assert "Run it again" in ended.notes
