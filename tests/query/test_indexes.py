"""Every question is answered through an index: MongoDB's profiler says how each was."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from query.outbound.menus import MongoMenus
from query.outbound.mongo import Database
from query.outbound.orders import MongoOrders
from query.views import menu, order

from tests.query.builders import an_order, offered, opened, placed

Question = Callable[[MongoOrders, MongoMenus], Awaitable[object]]

QUESTIONS: dict[str, Question] = {
    "one order": lambda orders, _: orders.one("an-order"),
    "all orders": lambda orders, _: orders.newest("r", active=None, limit=10),
    "active orders": lambda orders, _: orders.newest("r", active=True, limit=10),
    "other orders": lambda orders, _: orders.newest("r", active=False, limit=10),
    "the board": lambda orders, _: orders.board("r"),
    "the restaurant": lambda _, menus: menus.restaurant("r"),
    "the menu": lambda _, menus: menus.items("r"),
    "a change of an order": lambda orders, _: orders.merge([order.of(placed(an_order()))]),
    "a change of the menu": lambda _, menus: menus.merge_items([menu.of(offered("r", "tea"))]),
    "a change of a restaurant": lambda _, menus: menus.merge_restaurants([menu.of(opened("r"))]),
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_it_needs_no_scan_of_a_collection_and_no_sort(
    question: str, database: Database, orders: MongoOrders, menus: MongoMenus
) -> None:
    await orders.merge([order.of(placed(an_order()))])
    await menus.merge_items([menu.of(offered("r", "coffee"))])
    await menus.merge_restaurants([menu.of(opened("r"))])
    await database.command("profile", 2)

    await QUESTIONS[question](orders, menus)

    asked = await profiled(database)
    assert asked
    for each in asked:
        assert each["planSummary"].startswith(("IDHACK", "IXSCAN")), each["planSummary"]
        assert not each.get("hasSortStage", False)


async def profiled(database: Database) -> list[dict[str, Any]]:
    """What the profiler wrote down, without what it is asked itself."""
    await database.command("profile", 0)
    everything = await database["system.profile"].find().to_list()
    return [each for each in everything if "planSummary" in each]
