"""What one odd event, cursor or collection must not do to the views' keepers."""

from datetime import UTC, datetime

import httpx
import pytest
from query.api.http.cursors import encode_cursor
from query.maintenance.switchover import Switchover
from query.storage.client import Database
from query.storage.generations import Generation, Generations
from query.storage.orders.store import MongoOrders
from query.storage.sales.roll_up import roll_up_all
from query.views.orders.list_query import ListQuery, PagePosition, SnapshotTime, Sort

from tests.query.builders import an_order, placed
from tests.query.conftest import store

LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [0, 1, 2**32 - 1])
@pytest.mark.parametrize("generation", [1, 7])
async def test_a_forged_or_foreign_cursor_has_expired(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str, seconds: int, generation: int
) -> None:
    order = an_order(restaurant=restaurant)
    await store(orders, placed(order))
    snapshot = SnapshotTime(generation, seconds, 0)
    position = PagePosition(order.total, str(order.order_id), snapshot)
    forged = encode_cursor(position, ListQuery(restaurant, Sort.DEAREST))

    answer = await query.get(
        f"/v1/restaurants/{restaurant}/orders", params={"sort": "-total", "cursor": forged}
    )

    assert (answer.status_code, answer.json()["code"]) == (410, "cursor-expired")


async def test_only_what_a_switchover_made_is_dropped(database: Database) -> None:
    switchover = Switchover(database, "one")
    await switchover.switch((await switchover.begin()).number, {})
    being_filled = await switchover.begin()
    others = ["orders-2025", "reports-1", "orders-01", "orders-1-copy"]
    ours = [Generation(database, number).orders.name for number in (1, 2, being_filled.number)]
    for name in [*others, *ours]:
        await database[name].insert_one({"_id": "kept"})
    await switchover.forget_previous()

    assert await switchover.sweep() == [1]
    left = set(await database.list_collection_names())
    assert {*others, *ours[1:]} <= left
    assert ours[0] not in left


async def test_an_order_of_the_calendars_last_hour_is_summed_up(
    database: Database, orders: MongoOrders, restaurant: str
) -> None:
    last = an_order(restaurant=restaurant, placed_at=LAST_MOMENT, business_day=LAST_MOMENT.date())
    await store(orders, placed(last), placed(an_order(restaurant=restaurant)))
    live = Generations(database).live

    await roll_up_all(live)

    days = await live.sales_days.find({}, {"summary.currency": 1}).to_list()
    assert [each["summary"]["currency"] for each in days] == ["EUR", "EUR"]
