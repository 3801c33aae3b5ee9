"""The till as a waiter uses it, on the real services."""

import re
from typing import Any

import pytest
from comanda_local.access import Role
from playwright.async_api import Locator, Page, Route, expect

from tests.e2e.restaurant import Restaurant
from tests.pages.conftest import PATIENCE_MS, Screens

pytestmark = [
    pytest.mark.xdist_group("stack"),
    pytest.mark.servers,
    pytest.mark.timeout(300),
]

expect.set_options(timeout=PATIENCE_MS)


def table(till: Page, name: str) -> Locator:
    return till.locator(f'.table-tile[data-table="{name}"]')


def item(till: Page, sku: str) -> Locator:
    return till.locator(f'.item[data-sku="{sku}"]')


def button(place: Page | Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name, exact=True)


async def order_at(till: Page, name: str, *skus: str) -> None:
    """Order at a free table, as a waiter does."""
    await table(till, name).click()
    for sku in skus:
        await item(till, sku).click()
    await button(till, "Send to the kitchen").click()


async def orders_of(restaurant: Restaurant) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = restaurant.read("/orders")["orders"]
    return found


async def test_an_evening_at_a_table_by_touches_alone(screens: Screens) -> None:
    till = await screens.open("till", Role.TILL)
    kitchen = await screens.open("kitchen", Role.KITCHEN)
    await order_at(till, "7", "margherita", "margherita", "cola")
    await expect(table(till, "7")).to_contain_text("Ordered")
    slip = kitchen.locator(".card").first
    await expect(slip).to_contain_text("Table 7")

    await button(slip, "Start").click()
    await expect(table(till, "7")).to_contain_text("Cooking")
    await table(till, "7").click()
    await item(till, "cola").click()
    await button(till, "Note").click()
    await till.get_by_label("Note to the kitchen").fill("no ice")
    await button(till, "Send to the kitchen").click()
    await expect(till.locator('.round[data-round="2"]')).to_contain_text("no ice")
    await expect(till.locator(".round.is-pending")).to_have_count(0)

    await button(till, "Cancel …").click()
    await till.locator(".check").filter(has_text="Round 2").click()
    await button(till, "Typed by mistake").click()
    await button(till, "Ask the kitchen").click()
    await expect(till.get_by_text("cancelled what was not begun")).to_be_visible()
    await expect(till.locator('.round[data-round="2"]')).to_contain_text("Cancelled")

    await expect(button(till, "Close").last).to_be_disabled()
    await button(slip, "Ready").click()
    await button(kitchen, "Pass 1").click()
    await button(kitchen.locator(".card").first, "Served").click()
    await button(till.locator(".slip-foot"), "Close").click()
    await expect(till.locator(".receipt")).to_contain_text("€20.50")
    await expect(table(till, "7")).to_contain_text("Free")


async def test_a_double_tap_orders_once(screens: Screens, restaurant: Restaurant) -> None:
    till = await screens.open("till", Role.TILL)
    await table(till, "3").click()
    await item(till, "cola").click()

    await button(till, "Send to the kitchen").dblclick()

    await expect(table(till, "3")).to_contain_text("Ordered")
    await expect(till.locator(".on-the-way")).to_have_count(0)
    assert len(await orders_of(restaurant)) == 1


async def test_an_order_outlives_a_reload_and_a_network_that_was_away(
    screens: Screens, restaurant: Restaurant
) -> None:
    """Taken while the network was away, it is sent once, by whichever page is there by then."""
    till = await screens.open("till", Role.TILL)
    await expect(item_of_menu(till)).to_have_count(12)
    lost = 0

    async def lose_the_answer(route: Route) -> None:
        nonlocal lost
        lost += 1
        await route.fetch()
        await route.abort()

    await till.route(re.compile(r"/ordering/.*/orders$"), lose_the_answer)
    await order_at(till, "5", "margherita")
    await expect(till.locator(".on-the-way")).to_contain_text("1 on the way")
    await table(till, "6").click()
    await item(till, "cola").click()
    await expect(till.locator(".line.is-draft")).to_contain_text("Cola")
    await till.reload()

    await expect(till.locator(".line.is-draft")).to_contain_text("Cola")
    await button(till, "Back").click()
    await till.unroute_all()
    await expect(table(till, "5")).to_contain_text("Ordered")
    await expect(till.locator(".on-the-way")).to_have_count(0)
    assert len(await orders_of(restaurant)) == 1


def item_of_menu(till: Page) -> Locator:
    return till.locator(".table-tile")
