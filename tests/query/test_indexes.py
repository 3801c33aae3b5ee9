"""Every question is answered through an index: MongoDB's profiler says how each was."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from comanda_contracts import TicketEvent
from query.storage.client import Database
from query.storage.generations import POINTER_ID, Generations
from query.storage.menus import MongoMenus
from query.storage.orders.store import MongoOrders
from query.storage.sales.roll_up import roll_up_all, roll_up_next
from query.storage.sales.store import MongoSales, mark_for_roll_up
from query.views import menu
from query.views.orders import view as order
from query.views.sales.view import Span

from tests.query.builders import (
    NOON,
    after,
    an_order,
    its_ticket,
    news_of,
    offered,
    opened,
    placed,
)
from tests.query.conftest import project

Question = Callable[[MongoOrders, MongoMenus], Awaitable[object]]

QUESTIONS: dict[str, Question] = {
    "one order": lambda orders, _: orders.one("an-order"),
    "the board": lambda orders, _: orders.board("r"),
    "the restaurant": lambda _, menus: menus.restaurant("r"),
    "the menu": lambda _, menus: menus.items("r"),
    "a change of an order": lambda orders, _: orders.merge([order.view_of(placed(an_order()))]),
    "a change of the menu": lambda _, menus: menus.merge_items([menu.view_of(offered("r", "tea"))]),
    "a change of a restaurant": lambda _, menus: menus.merge_restaurants(
        [menu.view_of(opened("r"))]
    ),
}

SORTED = {"the board"}
"""Of a restaurant's active orders, which are few, the server may sort what an index gives it."""


@pytest.mark.parametrize("question", QUESTIONS)
async def test_it_needs_no_scan_of_a_collection_and_no_sort(
    question: str, database: Database, orders: MongoOrders, menus: MongoMenus
) -> None:
    await orders.merge([order.view_of(placed(an_order()))])
    await menus.merge_items([menu.view_of(offered("r", "coffee"))])
    await menus.merge_restaurants([menu.view_of(opened("r"))])
    await database.command("profile", 2)

    await QUESTIONS[question](orders, menus)

    asked = await profiled(database)
    assert asked
    for each in asked:
        assert each["planSummary"].startswith(("IDHACK", "IXSCAN")), each["planSummary"]
        assert question in SORTED or not each.get("hasSortStage", False)


async def profiled(database: Database) -> list[dict[str, Any]]:
    """What the profiler wrote down, without what it is asked itself.

    Nor is there, before the first rebuild, a pointer to look for: that ends at once.
    """
    await database.command("profile", 0)
    everything = (
        await database["system.profile"].find({"ns": {"$not": {"$regex": POINTER_ID}}}).to_list()
    )
    return [each for each in everything if "planSummary" in each]


DAY = Span("r", "2026-11-23", "2026-11-24", NOON.replace(tzinfo=None), after(3600))

SALES: dict[str, Callable[[Generations, MongoSales], Awaitable[object]]] = {
    "days of sales": lambda _, sales: sales.days(DAY, items=True),
    "hours of sales": lambda _, sales: sales.hours(DAY, items=True),
    "top items": lambda _, sales: sales.top("r", "2026-11-23", 10),
    "hours that tickets belong to": lambda generations, _: mark_for_roll_up(
        generations.live, [order.view_of(ready())]
    ),
    "summing up what is due": lambda generations, _: roll_up_next(generations.live),
}


@pytest.mark.parametrize("question", SALES)
async def test_sales_need_no_scan_of_a_collection_and_no_sort(
    question: str, database: Database, orders: MongoOrders
) -> None:
    generations, sales = Generations(database), MongoSales(Generations(database))
    await sales.set_up()
    await project(generations, placed(an_order(restaurant="r")))
    await roll_up_all(generations.live)
    await project(generations, placed(an_order(restaurant="r")))
    await generations.live.sales_days.update_many({}, {"$set": {"due": NOON - timedelta(days=9)}})
    await database.command("profile", 2)

    await SALES[question](generations, sales)

    asked = await profiled(database)
    assert asked
    for each in asked:
        assert each["planSummary"].startswith(("IDHACK", "IXSCAN")), each
        assert not each.get("hasSortStage", False), each


def ready() -> TicketEvent:
    return news_of(its_ticket(an_order(restaurant="r"), status="ready", ready_at=NOON))
