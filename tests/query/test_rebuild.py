"""Rebuilding the views and going back, as an operator does it, on real servers."""

import pytest
from comanda_contracts import Order
from comanda_contracts.streams import ORDERS
from comanda_local.servers import Nats
from nats.aio.client import Client
from query.bootstrap import Role
from query.maintenance.evidence import require_consent
from query.maintenance.switchover import Switchover
from query.storage.client import Database
from query.storage.generations import Generation

from tests.query.builders import an_order, closed, placed
from tests.query.evenings import evening, orders_of
from tests.query.operators import run
from tests.query.running import is_ok, publish, quiet, running_service
from tests.support.eventually import eventually

Servers = tuple[str, str]


@pytest.fixture
def servers(nats_server: Nats, fresh_mongodb_url: str) -> Servers:
    return nats_server.url, fresh_mongodb_url


@pytest.fixture
def served(restaurant: str) -> list[Order]:
    return orders_of(restaurant, 12)


@pytest.fixture
async def nats(nats: Client, restaurant: str, served: list[Order]) -> Client:
    """The streams, with an evening on them."""
    await publish(nats, *evening(restaurant, served))
    return nats


async def test_a_rebuild_gives_what_the_streams_say_and_a_rollback_what_was_there_before(
    nats: Client, servers: Servers, database: Database, restaurant: str, served: list[Order]
) -> None:
    order_id, orphan = str(served[0].order_id), "an-orphan"
    path = f"/v1/restaurants/{restaurant}/orders/{order_id}"
    async with running_service(*servers) as query:
        await quiet(nats)
        live = Generation(database, 1).orders
        document = await live.find_one({"_id": order_id})
        await live.update_one({"_id": order_id}, {"$set": {"order.number": "X-1"}})
        await live.insert_one({**(document or {}), "_id": orphan})

        outcome = await run(servers, "rebuild")

        assert outcome.code == 0, outcome.notes
        assert "75 messages read, 0 had been read before." in outcome.output
        assert "16 documents compared, 14 are equal." in outcome.output
        assert (
            f"1 differ: other content at the same versions:\n    orders/{order_id}"
            in outcome.output
        )
        assert (
            f"1 differ: in the live one, but not on the streams:\n    orders/{orphan}"
            in outcome.output
        )
        assert "Generation 2 is live" in outcome.output
        await eventually(
            lambda: query.get(path), lambda response: response.json()["number"] == "A-0"
        )

        after = an_order(restaurant=restaurant)
        await publish(nats, placed(after), closed(after))
        outcome = await run(servers, "rollback")

        assert outcome.code == 0, outcome.notes
        assert "Generation 1 is live" in outcome.output
        shown = await eventually(
            lambda: query.get(path), lambda response: response.json()["number"] == "X-1"
        )
        assert is_ok(shown)
        later = await query.get(
            f"/v1/restaurants/{restaurant}/orders/{after.order_id}?min_version=2"
        )
        assert later.json()["status"] == "closed"


async def test_a_rebuild_from_streams_that_lost_messages_leaves_nothing_out_unless_told(
    nats: Client, servers: Servers, database: Database, served: list[Order]
) -> None:
    async with running_service(*servers, Role.PROJECTOR):
        await quiet(nats)
    await nats.jetstream().purge_stream(ORDERS.name)

    outcome = await run(servers, "rebuild")

    assert outcome.code == 1
    assert "messages of ORDERS are gone" in outcome.notes
    assert f"--yes-really {len(served)}" in outcome.notes
    assert await live_generation(database) == 1


@pytest.mark.parametrize(("reasons", "count"), [([], 12), (["they are gone"], 3)])
def test_what_is_explained_or_was_consented_to_is_destroyed(reasons: list[str], count: int) -> None:
    require_consent(reasons, count, 3, "left out")


async def live_generation(database: Database) -> int:
    return (await Switchover(database, "test").pointer()).live


async def test_the_sales_of_a_new_generation_are_summed_up_when_it_becomes_the_live_one(
    nats: Client, servers: Servers, database: Database
) -> None:
    async with running_service(*servers, Role.PROJECTOR):
        await quiet(nats)

    assert (await run(servers, "rebuild")).code == 0

    generation = Generation(database, 2)
    assert await generation.sales_days.count_documents({"dirty": True}) == 0
    day = await generation.sales_days.find_one()
    assert day is not None
    assert "summary" in day


async def test_a_new_generation_has_the_indexes_of_the_old_one(
    nats: Client, servers: Servers, database: Database
) -> None:
    async with running_service(*servers) as query:
        await eventually(lambda: query.get("/health/ready"), is_ok)
        await quiet(nats)

    assert (await run(servers, "rebuild")).code == 0

    for one, other in zip(
        Generation(database, 1).collections, Generation(database, 2).collections, strict=True
    ):
        assert await one.index_information() == await other.index_information()


async def test_an_old_generation_goes_with_the_next_rebuild_or_when_it_is_dropped(
    nats: Client, servers: Servers, database: Database
) -> None:
    for _ in range(2):
        assert (await run(servers, "rebuild")).code == 0
    names = await database.list_collection_names()
    assert "orders-1" not in names
    assert {"orders-2", "orders-3"} <= set(names)

    assert "Dropped: 2." in (await run(servers, "generations", "drop")).output

    outcome = await run(servers, "rollback")
    assert (outcome.code, "no previous generation" in outcome.notes) == (1, True)
    assert "live" in (await run(servers, "generations")).output
