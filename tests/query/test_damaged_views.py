"""A stored order that can't be shown fails alone; what an older release lacks has defaults."""

from typing import Any

import httpx
import pytest
from bson.decimal128 import Decimal128
from comanda_contracts import Order
from prometheus_client import REGISTRY
from query.storage.client import Database
from query.storage.orders.store import MongoOrders

from tests.query.builders import an_order, at_table, placed
from tests.query.conftest import store

DAMAGES: dict[str, dict[str, Any]] = {
    "no number": {"$unset": {"order.number": 1}},
    "no lines": {"$unset": {"order.rounds.0.lines": 1, "order.rounds.0.total": 1}},
    "a round without a number": {"$unset": {"order.rounds.0.round": 1}},
    "a decimal": {"$set": {"order.number": Decimal128("1.5")}},
    "rounds that are a text": {"$set": {"order.rounds": "none"}},
    "no time": {"$unset": {"order.placed_at": 1}},
}


async def damaged(database: Database, order: Order, damage: dict[str, Any]) -> None:
    await database["orders-1"].update_one({"_id": str(order.order_id)}, damage)


def counted() -> float:
    return REGISTRY.get_sample_value("comanda_query_damaged_views_total") or 0.0


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_order_fails_alone(
    query: httpx.AsyncClient,
    database: Database,
    orders: MongoOrders,
    restaurant: str,
    damage: str,
) -> None:
    broken, sound = (an_order(restaurant=restaurant, **at_table("7")) for _ in range(2))
    await store(orders, placed(broken), placed(sound))
    await damaged(database, broken, DAMAGES[damage])
    venue, before = f"/v1/restaurants/{restaurant}", counted()

    one = await query.get(f"{venue}/orders/{broken.order_id}")
    listed = (await query.get(f"{venue}/orders")).json()
    by_total = (await query.get(f"{venue}/orders?sort=total")).json()
    board = await query.get(f"{venue}/board")
    tables = await query.get(f"{venue}/tables")

    assert (one.status_code, one.json()["code"]) == (503, "damaged-view")
    for page in (listed, by_total):
        assert [each["order_id"] for each in page["orders"]] == [str(sound.order_id)]
        assert page["left_out"] == [str(broken.order_id)]
    assert str(sound.order_id) in board.text
    assert str(sound.order_id) in tables.text
    assert counted() > before


DEFAULTS: dict[str, Any] = {
    "table": None,
    "guests": None,
    "customer": None,
    "phone": None,
    "total": 1700,
}


@pytest.mark.parametrize("field", DEFAULTS)
async def test_what_a_document_lacks_has_its_default(
    query: httpx.AsyncClient,
    database: Database,
    orders: MongoOrders,
    restaurant: str,
    field: str,
) -> None:
    order = an_order(restaurant=restaurant)
    await store(orders, placed(order))
    lacking = {f"order.{field}": 1, "timeline": 1, "status": 1, "order.rounds.0.total": 1}
    await damaged(database, order, {"$unset": lacking})

    shown = (await query.get(f"/v1/restaurants/{restaurant}/orders/{order.order_id}")).json()
    listed = await query.get(f"/v1/restaurants/{restaurant}/orders")

    assert shown[field] == DEFAULTS[field]
    assert (shown["timeline"], shown["status"]) == ([], "placed")
    assert shown["rounds"][0]["total"] == 1700
    assert [each["order_id"] for each in listed.json()["orders"]] == [str(order.order_id)]
