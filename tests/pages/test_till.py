"""The till and the manager's page as people use them, on the real services."""

import re
from typing import Any

import httpx
import pytest
from comanda_local.access import Role
from comanda_local.stack import Stack
from playwright.async_api import Locator, Page, Route, expect

from tests.e2e.restaurant import Restaurant
from tests.pages.conftest import PATIENCE_MS, Screens
from tests.support.tokens import bearer

pytestmark = [
    pytest.mark.xdist_group("stack"),
    pytest.mark.servers,
    pytest.mark.timeout(300),
]

expect.set_options(timeout=PATIENCE_MS)

THEMES = ("dark", "light")


def table(till: Page, name: str) -> Locator:
    return till.locator(f'.table-tile[data-table="{name}"]')


def tiles(till: Page) -> Locator:
    return till.locator(".table-tile")


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
    """Taken while the network was away, it is sent once, by whichever tab is there by then."""
    link = screens.link("till", Role.TILL, "two-tabs")
    till = await screens.at(link)
    await expect(tiles(till)).to_have_count(12)
    lost = 0

    async def lose_the_answer(route: Route) -> None:
        nonlocal lost
        lost += 1
        await route.fetch()
        await route.abort()

    await till.context.route(re.compile(r"/ordering/.*/orders$"), lose_the_answer)
    await order_at(till, "5", "margherita")
    await expect(till.locator(".on-the-way")).to_contain_text("1 on the way")
    await table(till, "6").click()
    await item(till, "cola").click()
    await expect(till.locator(".line.is-draft")).to_contain_text("Cola")
    await till.reload()
    other_tab = await till.context.new_page()
    await other_tab.goto(link)

    await expect(till.locator(".line.is-draft")).to_contain_text("Cola")
    await expect(other_tab.locator(".on-the-way")).to_contain_text("1 on the way")
    await button(till, "Back").click()
    await till.context.unroute_all()
    await expect(table(till, "5")).to_contain_text("Ordered")
    for tab in (till, other_tab):
        await expect(tab.locator(".on-the-way")).to_have_count(0)
    assert len(await orders_of(restaurant)) == 1


async def test_a_refusal_stands_beside_its_line(
    screens: Screens, restaurant: Restaurant, stack: Stack
) -> None:
    till = await screens.open("till", Role.TILL)
    await table(till, "2").click()
    await item(till, "margherita").click()
    await item(till, "cola").click()

    async with httpx.AsyncClient(trust_env=False, headers=bearer(issuer=stack.issuer)) as http:
        url = restaurant.url("ordering", "/menu/cola/unavailable")
        (await http.post(url, json={"reason": "empty"})).raise_for_status()

    await expect(item(till, "cola")).to_be_disabled()
    await expect(till.locator('.line[data-sku="cola"] .refusal')).to_have_text("Sold out")
    await button(till, "Send to the kitchen").click()
    await expect(till.locator('.line[data-sku="cola"] .refusal')).to_be_visible()
    await expect(till.locator('.line[data-sku="margherita"] .refusal')).to_have_count(0)
    assert await orders_of(restaurant) == []


async def test_a_till_that_is_withdrawn_keeps_what_it_could_not_send(
    screens: Screens, restaurant: Restaurant, stack: Stack
) -> None:
    """Its next link sends it: its token was refused, not the order."""
    till = await screens.at(screens.link("till", Role.TILL, "lost-till"))
    await expect(tiles(till)).to_have_count(12)
    refusal = {"status": 401, "json": {"code": "withdrawn"}}
    await till.route(re.compile(r"/ordering/.*/orders$"), lambda route: route.fulfill(**refusal))
    await order_at(till, "5", "margherita")
    await expect(till.locator(".on-the-way")).to_contain_text("1 on the way")

    async with httpx.AsyncClient(trust_env=False, headers=bearer(issuer=stack.issuer)) as http:
        answer = await http.post(restaurant.url("ordering", "/access/lost-till/withdraw"))
    assert answer.is_success, answer.text
    await expect(till.get_by_text("This screen is no longer paired")).to_be_visible()
    await till.unroute_all()
    await till.goto(screens.link("till", Role.TILL, "found-till"))

    await expect(table(till, "5")).to_contain_text("Ordered")
    await expect(till.locator(".on-the-way")).to_have_count(0)
    assert len(await orders_of(restaurant)) == 1


async def test_what_a_manager_saves_leaves_what_his_page_does_not_show_as_it_is(
    screens: Screens, restaurant: Restaurant, stack: Stack
) -> None:
    known = restaurant.put(
        "",
        {"name": "Roma", "currency": "EUR", "time_zone": "Europe/Rome", "closes_days": True},
    )
    manager = await screens.open("manager", Role.MANAGER)
    await button(manager, "Restaurant").click()
    await manager.get_by_label("Name").fill("Da Vinci")

    await button(manager, "Save").click()

    await expect(manager.get_by_text("Da Vinci is saved.")).to_be_visible()
    url = restaurant.url("ordering", "")
    async with httpx.AsyncClient(trust_env=False, headers=bearer(issuer=stack.issuer)) as http:
        saved = (await http.get(url)).json()
    assert saved == known | {"name": "Da Vinci", "version": known["version"] + 1}


@pytest.mark.parametrize("page", ["till", "manager"])
@pytest.mark.parametrize("theme", THEMES)
async def test_everybody_can_use_it(screens: Screens, axe: str, page: str, theme: str) -> None:
    """No colour is too faint, nothing is without a name, in neither theme and on a telephone."""
    await screens.place(
        {
            "channel": "dine_in",
            "table": "4",
            "guests": 2,
            "lines": [{"sku": "cola", "quantity": 1, "note": "no ice"}],
        }
    )
    role = Role.TILL if page == "till" else Role.MANAGER
    link = screens.link(page, role, f"{page}-{theme}") + f"&theme={theme}"
    screen = await screens.at(link, viewport={"width": 390, "height": 844})
    if page == "till":
        await table(screen, "4").click()
        await button(screen, "Menu").click()
        await item(screen, "margherita").click()
        steps = ["Menu", "Order"]
    else:
        steps = ["Menu", "Restaurant", "Day"]

    for step in steps:
        await screen.get_by_role("button", name=re.compile(f"^{step}")).first.click()
        await screen.wait_for_timeout(200)  # what fades in has no colour yet
        await screen.evaluate(axe)
        found = await screen.evaluate("async () => (await axe.run()).violations")
        wrong = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
        assert wrong == [], step
