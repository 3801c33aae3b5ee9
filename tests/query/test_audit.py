"""The audit finds every kind of drift in the read store, and mends just that."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from comanda_contracts import Order
from comanda_local.servers import Nats
from query.bootstrap import Role
from query.maintenance.audit import Tally, audit
from query.maintenance.document_kinds import ORDER_DOCUMENTS
from query.maintenance.repair import mend
from query.maintenance.session import Site, on_site
from query.storage.orders.store import MongoOrders
from service_kit.nats.jetstream import connected

from tests.query.builders import an_order, placed
from tests.query.conftest import store
from tests.query.evenings import evening, orders_of, whole_course
from tests.query.operators import run
from tests.query.running import STREAMS, publish, quiet, running_service, set_up

Found = list[tuple[str, str, str]]
"""Collection, `_id` and what is wrong."""


@pytest.fixture
def served(restaurant: str) -> list[Order]:
    return orders_of(restaurant, 12)


@pytest.fixture
async def site(
    nats_server: Nats, fresh_mongodb_url: str, restaurant: str, served: list[Order]
) -> AsyncIterator[Site]:
    """A system whose projector has stored an evening, and was stopped then."""
    async with connected([nats_server.url], "test") as nats:
        await set_up(nats, *STREAMS)
        await publish(nats, *evening(restaurant, served))
        async with running_service(nats_server.url, fresh_mongodb_url, Role.PROJECTOR):
            await quiet(nats)
    async with on_site([nats_server.url], fresh_mongodb_url) as site:
        yield site


async def found(site: Site, *, patience: float = 0.0) -> Found:
    async with aclosing(audit(site, Tally(), lambda _: None, patience=patience)) as differences:
        return sorted([(each.kind.name, each.key, str(each.what)) async for each in differences])


async def test_a_store_that_is_in_step_has_no_difference(site: Site) -> None:
    tally = Tally()

    async with aclosing(audit(site, tally, lambda _: None, patience=0)) as differences:
        assert [each async for each in differences] == []

    assert (tally.events, tally.documents) == (12 * 6 + 3, 12 + 3)


async def test_planted_drift_of_every_kind_is_found_and_mended_and_nothing_else_is_touched(
    site: Site,
    nats_server: Nats,
    fresh_mongodb_url: str,
    restaurant: str,
    served: list[Order],
) -> None:
    live = site.generations.live
    before = {each["_id"]: each async for each in live.orders.find()}
    ids = [str(order.order_id) for order in served]
    orphan = an_order(restaurant=restaurant)
    await live.orders.delete_one({"_id": ids[0]})
    await live.orders.update_one({"_id": ids[1]}, {"$set": {"order.version": 1}})
    await live.orders.update_one({"_id": ids[2]}, {"$set": {"tickets.1.version": 3}})
    await live.orders.update_one({"_id": ids[3]}, {"$set": {"order.total": 1}})
    await live.orders.update_one({"_id": ids[4]}, {"$set": {"status": "preparing"}})
    await live.orders.update_one({"_id": ids[5]}, {"$unset": {"timeline.serving-1-2": 1}})
    await live.orders.update_one({"_id": ids[6]}, {"$set": {"timeline.ordering-1.actor": "Eve"}})
    await live.orders.update_one({"_id": ids[7]}, {"$set": {"order.version": 9}})
    await live.orders.update_one({"_id": ids[8]}, {"$set": {"tickets": "broken", "more": 1}})
    await live.orders.update_one({"_id": ids[9]}, {"$unset": {"order": 1}})
    await store(MongoOrders(site.generations), placed(orphan))
    await live.menu.delete_one({"_id": f"{restaurant}/tea"})
    await live.menu.update_one({"_id": f"{restaurant}/cake"}, {"$set": {"state.price": 1}})
    await live.menu.insert_one({"_id": "a/b", "restaurant": "a", "state": {"version": 1}})
    await live.restaurants.update_one({"_id": restaurant}, {"$set": {"state.name": "Eve's"}})
    planted = sorted(
        [
            ("orders", ids[0], "missing"),
            ("orders", ids[1], "stale"),
            ("orders", ids[2], "stale"),
            ("orders", ids[3], "altered"),
            ("orders", ids[4], "altered"),
            ("orders", ids[5], "incomplete"),
            ("orders", ids[6], "altered"),
            ("orders", ids[7], "altered"),
            ("orders", ids[8], "altered"),
            ("orders", ids[9], "stale"),
            ("orders", str(orphan.order_id), "orphan"),
            ("menu", f"{restaurant}/tea", "missing"),
            ("menu", f"{restaurant}/cake", "altered"),
            ("menu", "a/b", "orphan"),
            ("restaurants", restaurant, "altered"),
        ]
    )

    outcome = await run((nats_server.url, fresh_mongodb_url), "audit", "--json", "--patience", "0")

    assert outcome.code == 1, outcome.notes
    told = [json.loads(line) for line in outcome.output.splitlines()]
    assert sorted((each["collection"], each["id"], each["what"]) for each in told) == planted
    total = next(each for each in told if each["id"] == ids[3])["fields"]
    assert total == [{"path": "order.total", "published": 1700, "stored": 1}]

    outcome = await run((nats_server.url, fresh_mongodb_url), "audit", "--repair")

    assert outcome.code == 0, outcome.notes
    assert outcome.output.count("mended") == len(planted)
    assert await found(site) == []
    assert {each["_id"]: each async for each in live.orders.find()} == before


async def test_what_is_on_its_way_is_no_difference(
    site: Site, nats_server: Nats, fresh_mongodb_url: str, restaurant: str
) -> None:
    late = whole_course(an_order(restaurant=restaurant))
    await publish(site.nats, *late)
    assert [what for _, _, what in await found(site)] == ["missing"]

    looking = asyncio.create_task(found(site, patience=60))
    async with running_service(nats_server.url, fresh_mongodb_url, Role.PROJECTOR):
        assert await looking == []


async def test_a_repair_loses_nothing_that_is_projected_at_the_same_time(
    site: Site, restaurant: str
) -> None:
    """Merges and repairs of one order race; in the end it is what the streams say."""
    live, orders = site.generations.live, MongoOrders(site.generations)
    for _ in range(10):
        course = whole_course(an_order(restaurant=restaurant))
        order_id = course[0].key
        await publish(site.nats, *course[:3])
        await store(orders, *course[:2])  # type: ignore[arg-type]

        async def go_on() -> None:
            for event in course[2:]:  # noqa: B023 - awaited below
                await publish(site.nats, event)
                await store(orders, event)  # type: ignore[arg-type]

        mended, _ = await asyncio.gather(mend(site, live, ORDER_DOCUMENTS, order_id), go_on())

        assert mended
        stored = await live.orders.find_one({"_id": order_id})
        assert stored == ORDER_DOCUMENTS.folded(course)


async def test_a_mended_order_is_counted_in_the_sales_again(
    site: Site, served: list[Order]
) -> None:
    live, order_id = site.generations.live, str(served[0].order_id)
    await live.sales_days.update_many({}, {"$unset": {"dirty": 1}})
    await live.orders.delete_one({"_id": order_id})

    assert await mend(site, live, ORDER_DOCUMENTS, order_id)

    assert await live.sales_days.count_documents({"dirty": True}) == 1
