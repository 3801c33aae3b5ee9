"""MongoDB is lost, or an older copy of it comes back: query makes its views anew by itself."""

import httpx
import pytest
from comanda_contracts import Order
from comanda_contracts.streams import DEAD_LETTERS, ORDERS
from comanda_local.servers import Nats
from nats.aio.client import Client
from query.bootstrap import Role
from query.storage.client import Database

from tests.query.builders import an_order, placed
from tests.query.evenings import evening, orders_of
from tests.query.running import is_ok, publish, quiet, running_service, set_up
from tests.support.eventually import eventually

Copy = dict[str, list[dict[str, object]]]
MIDDLE = 40
"""Messages of the evening after which MongoDB is copied."""


@pytest.fixture
def served(restaurant: str) -> list[Order]:
    return orders_of(restaurant, 12)


async def copied(database: Database) -> Copy:
    return {
        name: await database[name].find().to_list()
        for name in await database.list_collection_names()
    }


async def restore(database: Database, copy: Copy) -> None:
    """As from a dump: what is there goes, and what was there comes."""
    for name in await database.list_collection_names():
        await database[name].delete_many({})
    for name, documents in copy.items():
        for each in documents:
            await database[name].replace_one({"_id": each["_id"]}, each, upsert=True)


async def wipe(database: Database, _: Copy) -> None:
    await database.client.drop_database(database.name)


async def shows(query: httpx.AsyncClient, restaurant: str) -> list[str]:
    answer = await query.get(f"/v1/restaurants/{restaurant}/orders?limit=100")
    return [each["status"] for each in answer.json().get("orders", [])] if is_ok(answer) else []


@pytest.mark.parametrize("lose", [wipe, restore])
@pytest.mark.parametrize("is_running", [True, False], ids=["running", "down"])
async def test_lost_views_are_noticed_and_made_anew_by_nobody(
    lose: object,
    is_running: bool,
    nats: Client,
    nats_server: Nats,
    fresh_mongodb_url: str,
    database: Database,
    restaurant: str,
    served: list[Order],
) -> None:
    assert callable(lose)
    servers = nats_server.url, fresh_mongodb_url
    messages = list(evening(restaurant, served))
    async with running_service(*servers) as query:
        await publish(nats, *messages[:MIDDLE])
        await quiet(nats)
        await eventually(lambda: query.get("/health/ready"), is_ok)
        copy = await copied(database)
        await publish(nats, *messages[MIDDLE:])
        await quiet(nats)
        before = await shows(query, restaurant)
        assert before == ["closed"] * len(served)
        if is_running:
            await eventually(lambda: _is_checked(database, len(served)))
            await lose(database, copy)
            await eventually(lambda: query.get("/health/ready"), lambda each: not is_ok(each))
            await eventually(lambda: query.get("/health/ready"), is_ok)
            assert await shows(query, restaurant) == before
            return

    await lose(database, copy)
    await publish(nats, placed(an_order(restaurant=restaurant)))
    async with running_service(*servers) as query:
        await eventually(lambda: query.get("/health/ready"), lambda each: "rebuild" in each.text)
        await eventually(lambda: query.get("/health/ready"), is_ok)
        assert sorted(await shows(query, restaurant)) == sorted([*before, "placed"])


async def _is_checked(database: Database, orders: int) -> bool:
    """All is acknowledged, and a look at it has been taken since."""
    found = await database["checkpoints"].find_one({"_id": ORDERS.name})
    return bool(found and found["sequence"] == 2 * orders)


async def test_from_streams_that_are_not_whole_nothing_is_made_by_itself(
    nats: Client,
    nats_server: Nats,
    fresh_mongodb_url: str,
    database: Database,
    restaurant: str,
    served: list[Order],
) -> None:
    servers = nats_server.url, fresh_mongodb_url
    await set_up(nats, DEAD_LETTERS)
    await publish(nats, *evening(restaurant, served))
    async with running_service(*servers, Role.PROJECTOR):
        await quiet(nats)
    await wipe(database, {})
    await nats.jetstream().delete_msg(ORDERS.name, 3)

    async with running_service(*servers, Role.PROJECTOR) as projector:
        page = await eventually(
            lambda: projector.get("/health/ready"),
            lambda each: "1 messages" in each.text and not is_ok(each),
        )

    assert page.status_code == 503
    assert "it takes an operator" in page.text
    assert await database["orders-2"].count_documents({}) == 0
