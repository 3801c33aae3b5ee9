"""The pages as people use them, in a real browser, on the real services."""

import asyncio
import re

import httpx
import pytest
from comanda_local.access import Role
from comanda_local.stack import Stack
from playwright.async_api import Locator, Page, expect

from tests.e2e.restaurant import Restaurant, lines
from tests.pages.conftest import PATIENCE_MS, Screens
from tests.support.tokens import bearer

pytestmark = [
    pytest.mark.xdist_group("stack"),
    pytest.mark.servers,
    pytest.mark.timeout(300),
]

expect.set_options(timeout=PATIENCE_MS)

TAKEAWAY = {"channel": "takeaway", "customer": "Ada", "lines": lines()}
DINE_IN = {"channel": "dine_in", "table": "12", "guests": 2, "lines": lines(2)}
THEMES = ("dark", "light")
ONE_HOUR_LATER = "{ const now = Date.now; Date.now = () => now() + 3_600_000; }"


def card(kitchen: Page, order: dict[str, str]) -> Locator:
    return kitchen.locator(f'.card[data-number="{order["number"]}"]')


def button(place: Page | Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name, exact=True)


async def test_four_screens_agree_through_an_evening_of_touches_alone(screens: Screens) -> None:
    till = await screens.open("till", Role.TILL)
    kitchen = await screens.open("kitchen", Role.KITCHEN)
    board = await screens.open("board", Role.BOARD)
    await expect(kitchen.get_by_text("All clear")).to_be_visible()

    order = await taken_away(till, "Ada")
    number = order["number"]
    guest = await screens.open_order(order, viewport={"width": 390, "height": 844})
    row = till.locator(f'.away[data-number="{number}"]')
    entry = f'[data-number="{number}"]'
    preparing = board.locator(f"#numbers-preparing {entry}")
    ready = board.locator(f"#numbers-ready {entry}")
    await at_table(till, "4")

    await expect(row).to_contain_text("Ordered")
    await expect(guest.get_by_role("status")).to_have_text("We have your order")
    await expect(guest.locator(".hero-wait")).to_contain_text("You are next")
    await expect(kitchen.locator(".card").nth(1)).to_contain_text("2 guests")
    await expect(preparing).to_be_visible()

    await button(card(kitchen, order), "Start").click()
    await expect(row).to_contain_text("Cooking")
    await expect(guest.get_by_role("status")).to_have_text("The kitchen is at work")
    await expect(guest.get_by_text("You are next")).to_have_count(0)

    await button(card(kitchen, order), "Ready").click()
    await expect(card(kitchen, order)).to_have_count(0)
    await expect(row).to_contain_text("Ready")
    await expect(guest.get_by_role("status")).to_have_text("Ready for you to collect")
    await expect(ready).to_be_visible()
    await expect(preparing).to_have_count(0)
    assert "Ada" not in await board.locator("body").inner_text()

    await kitchen.get_by_role("button", name=re.compile("^Pass")).click()
    await button(card(kitchen, order), "Served").click()
    await expect(guest.get_by_role("status")).to_have_text("Handed over. Enjoy!")
    await expect(ready).to_have_count(0)
    await expect(board.locator("#numbers-preparing .entry")).to_have_count(1)
    await expect(till.locator('.table-tile[data-table="4"]')).to_contain_text("Ordered")


async def taken_away(till: Page, customer: str) -> dict[str, str]:
    """What a waiter orders for a guest who fetches it, as answered, with the guest's token."""
    await button(till, "New takeaway").click()
    await till.get_by_label("Name", exact=True).fill(customer)
    await till.locator('.item[data-sku="margherita"]').click()
    async with till.expect_response(re.compile(r"/ordering/.*/orders$")) as answering:
        await button(till, "Send to the kitchen").click()
    answer = await answering.value
    placed: dict[str, str] = await answer.json()
    return placed | {"guest": await answer.header_value("comanda-guest-token") or ""}


async def at_table(till: Page, table: str) -> None:
    """What a waiter orders for two guests at a free table."""
    await till.locator(f'.table-tile[data-table="{table}"]').click()
    await till.locator('.item[data-sku="cola"]').click()
    await button(till, "Send to the kitchen").click()


async def test_a_network_that_is_cut_leaves_a_screen_stale_until_it_is_there_again(
    screens: Screens, restaurant: Restaurant
) -> None:
    order = await screens.place(DINE_IN)
    kitchen = await screens.open("kitchen", Role.KITCHEN)
    await expect(button(card(kitchen, order), "Ready")).to_be_enabled()
    reached = re.compile("/serving/.*/queue/live")

    await kitchen.context.set_offline(True)
    await kitchen.route(reached, lambda route: route.abort())
    await expect(kitchen.get_by_role("alert")).to_contain_text("Not up to date since")
    await expect(button(card(kitchen, order), "Ready")).to_be_disabled()
    restaurant.cancel(order)
    await kitchen.unroute_all()
    await kitchen.context.set_offline(False)

    await expect(kitchen.get_by_role("alert")).to_have_count(0)
    await expect(card(kitchen, order)).to_have_attribute("data-status", "voided")


async def test_a_bump_by_key_or_double_tap_is_one_move_and_is_undone(
    screens: Screens, restaurant: Restaurant
) -> None:
    order, other = await screens.place(TAKEAWAY), await screens.place(DINE_IN)
    kitchen = await screens.open("kitchen", Role.KITCHEN)
    await expect(kitchen.locator(".card")).to_have_count(2)
    await expect(button(card(kitchen, order), "Ready")).to_be_enabled()

    await kitchen.keyboard.press("1")
    await expect(kitchen.locator(".card")).to_have_count(1)
    await button(kitchen, "Undo").click()
    await expect(card(kitchen, order)).to_contain_text("Called back")
    await card(kitchen, other).locator(".card-head").dblclick()
    await expect(card(kitchen, other)).to_have_count(0)

    statuses = {each["number"]: each["status"] for each in restaurant.queue()}
    assert statuses == {order["number"]: "preparing", other["number"]: "ready"}


async def test_of_two_cooks_one_moves_it_and_both_see_it(screens: Screens) -> None:
    order = await screens.place(DINE_IN)
    cooks = [await screens.open("kitchen", Role.KITCHEN) for _ in range(2)]
    for cook in cooks:
        await expect(button(card(cook, order), "Ready")).to_be_enabled()
    # as they are now: a locator would wait for a button that the other cook's touch takes away
    buttons = [await button(card(cook, order), "Ready").element_handle() for cook in cooks]

    await asyncio.gather(*(each.evaluate("button => button.click()") for each in buttons))

    for cook in cooks:
        await expect(card(cook, order)).to_have_count(0)
        await expect(cook.get_by_role("button", name=re.compile("^Pass"))).to_have_text(
            re.compile("1")
        )


async def test_a_dish_is_struck_and_all_day_counts_the_rest(screens: Screens) -> None:
    await screens.place(DINE_IN)
    other = await screens.place(DINE_IN)
    kitchen = await screens.open("kitchen", Role.KITCHEN)
    await card(kitchen, other).get_by_role("button", name=re.compile("Margherita")).click()

    await kitchen.keyboard.press("a")

    panel = kitchen.get_by_role("complementary", name="All day")
    await expect(panel.locator(".sum").first).to_have_text(re.compile(r"2\s*Cola|2\s*Margherita"))
    await expect(panel.locator(".sum")).to_have_count(2)


async def test_what_is_voided_is_struck_through_until_a_cook_has_seen_it(
    screens: Screens, restaurant: Restaurant
) -> None:
    order = await screens.place(TAKEAWAY)
    kitchen = await screens.open("kitchen", Role.KITCHEN)
    await expect(card(kitchen, order)).to_be_visible()

    restaurant.cancel(order)

    await expect(card(kitchen, order)).to_have_attribute("data-status", "voided")
    await expect(card(kitchen, order).locator(".dish").first).to_be_disabled()
    await button(card(kitchen, order), "Seen").click()
    await expect(card(kitchen, order)).to_have_count(0)


async def test_a_service_that_is_killed_leaves_its_screen_stale_until_it_is_back(
    screens: Screens, stack: Stack
) -> None:
    order = await screens.place(DINE_IN)
    kitchen = await screens.open("kitchen", Role.KITCHEN)
    await expect(button(card(kitchen, order), "Ready")).to_be_enabled()
    serving = stack.services["serving"]

    serving.kill()
    try:
        await expect(kitchen.get_by_role("alert")).to_contain_text("Not up to date since")
        await expect(card(kitchen, order)).to_be_visible()
        await expect(button(card(kitchen, order), "Ready")).to_be_disabled()
    finally:
        serving.start()
        serving.wait_until_ready()

    await expect(kitchen.get_by_role("alert")).to_have_count(0)
    await expect(card(kitchen, order)).to_be_visible()
    await button(card(kitchen, order), "Ready").click()
    await expect(card(kitchen, order)).to_have_count(0)


async def test_a_tablet_whose_clock_is_wrong_shows_the_right_age(screens: Screens) -> None:
    order = await screens.place(DINE_IN)
    context_page = await screens.open("kitchen", Role.KITCHEN)
    await context_page.add_init_script(ONE_HOUR_LATER)
    await context_page.reload()

    await expect(card(context_page, order)).to_have_class(re.compile(r"\bfresh\b"))
    await expect(card(context_page, order).locator("time")).to_have_text(
        re.compile(r"^[0-4]:\d\d$")
    )


async def test_a_token_that_is_withdrawn_ends_the_screen_that_has_it(
    screens: Screens, stack: Stack
) -> None:
    board = await screens.at(screens.link("board", Role.BOARD, "lost-tablet"))
    await expect(board.get_by_text("Nothing to collect yet")).to_be_visible()

    url = stack.services["ordering"].url + f"/v1/restaurants/{screens.slug}"
    headers = bearer(issuer=stack.issuer)
    async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
        answer = await http.post(f"{url}/access/lost-tablet/withdraw")

    assert answer.is_success, answer.text
    await expect(board.get_by_text("This screen is no longer paired")).to_be_visible()


async def test_a_screen_without_a_link_says_what_to_do_and_a_link_is_in_no_history(
    screens: Screens,
) -> None:
    unpaired = await screens.at(f"{screens.host.url}/kitchen")
    paired = await screens.open("kitchen", Role.KITCHEN)

    await expect(unpaired.get_by_role("heading")).to_have_text("This screen is not paired yet")
    await expect(paired.get_by_text("All clear")).to_be_visible()
    assert paired.url == f"{screens.host.url}/kitchen"
    await paired.reload()
    await expect(paired.get_by_text("All clear")).to_be_visible()


@pytest.mark.packages
async def test_nobody_is_kept_out(screens: Screens, axe: str, restaurant: Restaurant) -> None:
    """axe finds nothing on any page, in either theme: contrast, names, roles, order."""
    orders = [await screens.place(DINE_IN), await screens.place(TAKEAWAY)]
    restaurant.cook(orders[1], 1, "start", "ready")
    found: dict[str, object] = {}
    for theme in THEMES:
        pages = [
            await screens.open("kitchen", Role.KITCHEN, color_scheme=theme),
            await screens.open("board", Role.BOARD, color_scheme=theme),
            await screens.open_order(orders[0], color_scheme=theme),
        ]
        seen = [".card", "#numbers-ready .entry", ".bill-line"]
        for page, shown in zip(pages, seen, strict=True):
            await expect(page.locator(shown).first).to_be_visible()
            for opened in (None, "Settings"):
                if opened:
                    await button(page, opened).click()
                for violation in await violations(page, axe):
                    found[f"{page.url} {theme} {opened} {violation['id']}"] = violation["nodes"]

    assert found == {}


async def violations(page: Page, axe: str) -> list[dict[str, object]]:
    """What axe finds, once nothing moves any more."""
    session = await page.context.new_cdp_session(page)
    await session.send("Runtime.evaluate", {"expression": axe})
    run = """async () => {
        await Promise.all(document.getAnimations().map((each) => each.finished.catch(() => {})));
        const { violations } = await axe.run({ resultTypes: ["violations"] });
        const told = ({ html, failureSummary }) => `${html.slice(0, 300)} ${failureSummary}`;
        return violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(told) }));
    }"""
    return list(await page.evaluate(run))
