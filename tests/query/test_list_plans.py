"""How MongoDB answers each question about many orders: its profiler tells."""

import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import bson
import pytest
from comanda_contracts import Line, Order, OrderStatus
from query.storage.client import Database
from query.storage.generations import Generations
from query.storage.orders.lists import MongoLists
from query.storage.orders.store import MongoOrders
from query.views.orders.list_query import ListQuery, Sort
from query.views.orders.status import ACTIVE, ViewStatus
from query.views.orders.view import document, view_of

from tests.query.builders import a_round, after, an_order, at_table, placed
from tests.query.test_indexes import profiled

ORDERS = 4000
ACTIVE_ONES = 100
LIMIT = 10

WORDS = [f"{kind}{number}" for kind in ("pizza", "pasta", "wine") for number in range(40)]

NARROW: dict[str, dict[str, Any]] = {
    "all": {},
    "status": {"statuses": frozenset({ViewStatus.CANCELLED})},
    "statuses": {"statuses": frozenset({ViewStatus.CANCELLED, ViewStatus.PLACED})},
    "active": {"statuses": ACTIVE},
    "channel": {"channel": "takeaway"},
    "table": {"table": "7"},
    "customer": {"customer": "Guest 7"},
    "time": {"placed_from": after(30_000), "placed_to": after(60_000)},
    "min_total": {"min_total": 2000},
    "high min_total": {"min_total": 4990},
    "word": {"words": frozenset({"pizza7"})},
}
COMBINED: dict[str, dict[str, Any]] = {
    "active of a table": {"statuses": ACTIVE, "table": "7"},
    "ready of a channel": {"statuses": frozenset({ViewStatus.PLACED}), "channel": "dine_in"},
    "customer who fetched it": {"customer": "Guest 7", "channel": "takeaway"},
    "table in a time": {"table": "7", "placed_from": after(30_000), "placed_to": after(60_000)},
    "words of a customer": {"words": frozenset({"pizza7", "guest"}), "customer": "Guest 7"},
    "cancelled of a channel": {
        "statuses": frozenset({ViewStatus.CANCELLED}),
        "channel": "dine_in",
    },
}
FILTERS = NARROW | COMBINED

BY_TIME_AT_MOST = 3 * LIMIT
"""Orders that are looked at for a page by time: hardly more than it shows."""
PLACED_AT_ONCE = 2
"""Orders that were placed at the same time: of the last page's, the ids have to be looked at."""
BY_TOTAL_AT_MOST = ORDERS // 4
"""For a page by total either a filter's orders are sorted, or all by total are filtered."""


def some_orders() -> list[Order]:
    chance = random.Random(7)
    return [_some_order(number, chance) for number in range(ORDERS)]


def _some_order(number: int, chance: random.Random) -> Order:
    status = OrderStatus.CANCELLED if chance.random() < 1 / 20 else OrderStatus.CLOSED
    lines = [
        Line(sku="sku", name=name, unit_price=500, quantity=1) for name in chance.sample(WORDS, 3)
    ]
    takeaway = {"customer": f"Guest {chance.randrange(300)}"}
    return an_order(
        restaurant="r",
        number=f"A-{number}",
        status=OrderStatus.OPEN if number >= ORDERS - ACTIVE_ONES else status,
        placed_at=after(number // 2 * 30),
        rounds=(a_round(1, lines=tuple(lines)),),
        total=chance.randrange(500, 5000),
        **(takeaway if chance.random() < 1 / 2 else at_table(str(chance.randint(1, 30)))),
    )


@pytest.fixture
async def lists(database: Database, orders: MongoOrders) -> MongoLists:
    """The lists of a restaurant that has been in business for a while."""
    views = [document(view_of(placed(order))) for order in some_orders()]
    await Generations(database).live.orders.insert_many(views)
    return MongoLists(Generations(database), render=bson.encode)


async def plan_of(database: Database, ask: Callable[[], Awaitable[object]]) -> dict[str, Any]:
    await database.drop_collection("system.profile")
    await database.command("profile", 2)
    await ask()
    [asked] = [each for each in await profiled(database) if each["op"] != "getmore"]
    assert "COLLSCAN" not in asked["planSummary"]
    assert asked["planSummary"].startswith("IXSCAN"), asked["planSummary"]
    return asked


async def test_every_page_is_read_from_an_index(
    database: Database, lists: MongoLists, subtests: pytest.Subtests
) -> None:
    for sort in Sort:
        for name, filters in FILTERS.items():
            listing = ListQuery("r", sort, **_as_stored(filters))
            first = await lists.page(listing, None, LIMIT)
            for which, place in (("first", None), ("second", first.end)):
                with subtests.test(f"{name}, {sort}, {which} page"):
                    ask = partial(lists.page, listing, place, LIMIT)
                    plan = await plan_of(database, ask)

                    most = BY_TOTAL_AT_MOST if sort.by_total else BY_TIME_AT_MOST
                    assert plan["docsExamined"] <= most, plan
                    if listing.is_in_index_order:
                        assert plan["docsExamined"] <= LIMIT + 1 + PLACED_AT_ONCE, plan
                    may_sort = sort.by_total or listing.min_total
                    assert may_sort or not plan.get("hasSortStage", False), plan


async def test_an_order_by_its_number_is_one_look(database: Database, lists: MongoLists) -> None:
    plan = await plan_of(database, lambda: lists.numbered("r", "2026-11-23", "A-77"))

    assert (plan["docsExamined"], plan["nreturned"]) == (1, 1)


async def test_tables_are_read_from_the_active_orders(
    database: Database, lists: MongoLists
) -> None:
    plan = await plan_of(database, lambda: lists.seated("r"))

    assert plan["docsExamined"] <= ACTIVE_ONES


def _as_stored(filters: dict[str, Any]) -> dict[str, Any]:
    times = {n: at.replace(tzinfo=None) for n, at in filters.items() if n.startswith("placed_")}
    return filters | times
