"""Which tables are occupied: since when, for how much, and what is most urgent there."""

import httpx
import pytest
from comanda_contracts import OrderStatus, TicketStatus
from comanda_contracts.envelope import rfc3339
from query.storage.menus import MongoMenus
from query.storage.orders.store import MongoOrders
from query.views.menu import view_of
from query.views.orders.tables import natural

from tests.query.builders import after, an_order, at_table, its_ticket, news_of, opened, placed
from tests.query.conftest import store


async def test_a_table_has_its_active_orders_and_the_most_urgent_status(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    early, late, gone = (
        an_order(
            restaurant=restaurant, number=f"A-{at}", placed_at=after(at), status=status, **fields
        )
        for at, status, fields in (
            (1, OrderStatus.OPEN, at_table("7")),
            (2, OrderStatus.OPEN, at_table("7") | {"guests": 3}),
            (0, OrderStatus.CLOSED, at_table("7")),
        )
    )
    ready = news_of(its_ticket(late, status=TicketStatus.READY))
    takeaway, elsewhere = an_order(restaurant=restaurant), an_order(**at_table("7"))
    news = [placed(each) for each in (late, early, gone, takeaway, elsewhere)]
    await store(orders, *news, ready)

    tables = (await query.get(f"/v1/restaurants/{restaurant}/tables")).json()["tables"]

    assert tables == [
        {
            "table": "7",
            "since": "2026-11-23T12:00:01.000000Z",
            "status": "ready",
            "guests": 5,
            "open_total": 3400,
            "currency": "EUR",
            "orders": [
                {
                    "order_id": str(order.order_id),
                    "number": order.number,
                    "version": 1,
                    "placed_at": rfc3339(order.placed_at),
                    "total": 1700,
                    "status": status,
                }
                for order, status in ((early, "placed"), (late, "ready"))
            ],
        }
    ]


async def test_tables_come_in_the_order_in_which_people_count_them(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    names = ["2", "10", "10a", "010a", "bar 9", "Bar 11", "9" * 5000]
    in_any_order = sorted(names)
    await store(
        orders,
        *(placed(an_order(restaurant=restaurant, **at_table(each))) for each in in_any_order),
    )

    tables = (await query.get(f"/v1/restaurants/{restaurant}/tables")).json()["tables"]

    shown = [each["table"] for each in tables]
    assert shown == sorted(names, key=natural)
    assert shown.index("2") < shown.index("10") < shown.index("10a") < shown.index("9" * 5000)
    assert shown.index("bar 9") < shown.index("Bar 11")


@pytest.mark.parametrize("known", [True, False])
async def test_without_guests_there_are_no_tables(
    query: httpx.AsyncClient, menus: MongoMenus, restaurant: str, known: bool
) -> None:
    if known:
        await menus.merge_restaurants([view_of(opened(restaurant))])

    answer = await query.get(f"/v1/restaurants/{restaurant}/tables")

    if known:
        assert answer.json() == {"tables": []}
    else:
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-restaurant")
