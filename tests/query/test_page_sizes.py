"""Sizes are weighed: pages and questions have a budget in bytes, whatever the orders in them."""

import asyncio

import httpx
import pytest
from comanda_contracts import Line, Order
from query.storage.orders.pages import PAGE_BYTES_MAX
from query.storage.orders.store import MongoOrders

from tests.query.builders import a_round, after, an_order, placed
from tests.query.conftest import store

DISH = Line(sku="dish", name="Dish", unit_price=100, quantity=1, note="少" * 200)
LARGEST_ROUNDS = tuple(a_round(n, lines=(DISH,) * 100) for n in range(1, 6))
"""Of an order of 500 lines: 0.3 MiB in the store."""
LARGE_ORDERS = 50
"""More than MongoDB gives in one answer, which are 16 MiB."""
ENVELOPE_BYTES = 1024
"""Of a page, around its orders."""


@pytest.fixture
async def large(orders: MongoOrders, restaurant: str) -> list[str]:
    """The ids of a restaurant's largest orders, the oldest first."""
    of_these = [
        an_order(restaurant=restaurant, placed_at=after(n), rounds=LARGEST_ROUNDS)
        for n in range(LARGE_ORDERS)
    ]
    for some in (of_these[:25], of_these[25:]):
        await store(orders, *map(placed, some))
    return [str(each.order_id) for each in of_these]


@pytest.mark.parametrize("sort", ["placed_at", "total"])
async def test_a_page_of_the_largest_orders_ends_early_and_has_its_cursor(
    query: httpx.AsyncClient, restaurant: str, large: list[str], sort: str
) -> None:
    listed: list[str] = []
    cursor = ""
    while cursor is not None:
        url = f"/v1/restaurants/{restaurant}/orders?sort={sort}&limit=500"
        page = await query.get(url + (f"&cursor={cursor}" if cursor else ""))

        assert page.status_code == 200, page.text
        assert len(page.content) <= PAGE_BYTES_MAX + ENVELOPE_BYTES
        listed += [each["order_id"] for each in page.json()["orders"]]
        cursor = page.json()["next"]

    assert listed == (large if sort == "placed_at" else sorted(large))


async def test_lists_of_others_asked_at_once_are_as_if_asked_alone(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str, large: list[str]
) -> None:
    other: Order = an_order(restaurant=f"{restaurant}-other")
    await store(orders, placed(other))
    urls = [f"/v1/restaurants/{restaurant}/orders?min_total={n}&limit=500" for n in range(6)]
    urls.insert(3, f"/v1/restaurants/{other.restaurant}/orders")

    together = await asyncio.gather(*map(query.get, urls))

    assert [each.status_code for each in together] == [200] * len(urls)
    alone = [await query.get(url) for url in urls]
    assert [each.content for each in together] == [each.content for each in alone]


async def test_the_largest_orders_are_found_by_their_ids_at_once(
    query: httpx.AsyncClient, restaurant: str, large: list[str]
) -> None:
    venue = f"/v1/restaurants/{restaurant}/orders"

    found = await asyncio.gather(*(query.get(f"{venue}/{each}") for each in large))

    assert [each.json()["order_id"] for each in found] == large
