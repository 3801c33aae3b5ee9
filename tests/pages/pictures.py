"""`make pictures`: plays an evening on a system of its own, and takes the pictures of docs/pages.

Guests order, cooks cook and waiters serve over HTTP, at a pace that can be watched; then the cooks
lay down their spoons, and each page is taken as it is. Nothing that is shown is made up.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from comanda_contracts import Order, Ticket, TicketStatus
from comanda_local import api
from comanda_local.access import EVERYWHERE, Role
from comanda_local.api import Api, RefusedRequest
from comanda_local.folders import temporary_folder
from comanda_local.menus import la_piazza, set_menu
from comanda_local.pages_host import PagesHost
from comanda_local.ports import free_port
from comanda_local.stack import Stack
from comanda_local.system_urls import SystemUrls
from comanda_local.visits import Visit, generate_visits
from playwright.async_api import Browser, Page, async_playwright

from tests.support.browser import chromium
from tests.support.tokens import bearer

PICTURES = Path(__file__).parents[2] / "docs" / "pages"
SEED = 19
VISITS = 64
ARRIVALS_S = 2.0
COOKS = 5
COOKING_S = (6, 16)
CARRYING_S = (2, 6)
LATE_AFTER_MIN = {"amberAfterMin": 1, "redAfterMin": 2}
"""Of the kitchen's screen and the till: the evening is a short one."""
SIZES = {360: (360, 780), 1024: (1024, 768), 1920: (1920, 1080)}
PATIENCE_MS = 60_000


class Shot(NamedTuple):
    """A picture of a page: how wide, in which theme, and what is touched before."""

    page: str
    width: int
    theme: str
    steps: tuple[str, ...] = ()
    name: str = ""


class Evening:
    """A restaurant where guests order and cooks cook until they are told to stop."""

    def __init__(self, services: Api, restaurant: str) -> None:
        self._api = services
        self._restaurant = restaurant
        self._chance = random.Random(SEED)
        self._cooks = asyncio.Semaphore(COOKS)
        self._in_hand: set[tuple[object, int]] = set()
        self._is_over = asyncio.Event()
        self.orders: list[Order] = []

    async def play(self, visits: list[Visit]) -> None:
        """Until the last guest has ordered: what the kitchen has not made by then is left."""
        async with asyncio.TaskGroup() as house:
            work = house.create_task(self._work(house))
            for visit in visits:
                house.create_task(self._visit(visit))
                await asyncio.sleep(ARRIVALS_S)
            self._is_over.set()
            await work

    async def _visit(self, visit: Visit) -> None:
        order = await self._api.place(self._restaurant, visit.order)
        self.orders.append(order)
        for lines in visit.further_rounds:
            await asyncio.sleep(self._chance.uniform(8, 20))
            if self._is_over.is_set():
                return
            with contextlib.suppress(RefusedRequest):
                order = await self._api.add_round(order, lines)

    async def _work(self, house: asyncio.TaskGroup) -> None:
        while not self._is_over.is_set():
            for ticket in await self._api.queue(self._restaurant):
                key = (ticket.order_id, ticket.round)
                if key not in self._in_hand and ticket.status is TicketStatus.QUEUED:
                    self._in_hand.add(key)
                    house.create_task(self._make(ticket))
            await asyncio.sleep(0.5)

    async def _make(self, ticket: Ticket) -> None:
        async with self._cooks:
            if self._is_over.is_set():
                return
            await self._api.move(ticket, "start")
            await asyncio.sleep(self._chance.uniform(*COOKING_S))
            if self._is_over.is_set():
                return
            await self._api.move(ticket, "ready")
        await asyncio.sleep(self._chance.uniform(*CARRYING_S))
        if not self._is_over.is_set():
            await self._api.move(ticket, "serve")


SHOTS = (
    *(Shot("kitchen", width, "dark") for width in (1920, 1024, 360)),
    Shot("kitchen", 1920, "light", name="kitchen-1920-light"),
    *(Shot("board", width, "dark") for width in (1920, 1024, 360)),
    Shot("board", 1920, "light", name="board-1920-light"),
    Shot("till", 1920, "light"),
    Shot("till", 1024, "light", ("table", "item", "item")),
    Shot("till", 360, "light", ("table",)),
    Shot("till", 1024, "dark", name="till-1024-dark"),
    *(Shot("order", width, "light") for width in (1920, 1024, 360)),
    Shot("order", 360, "dark", name="order-360-dark"),
    Shot("manager", 1920, "light"),
    Shot("manager", 1024, "light"),
    Shot("manager", 360, "light"),
    Shot("manager", 1024, "dark", ("menu",), name="manager-1024-menu"),
    Shot("operator", 1920, "dark"),
    Shot("operator", 1024, "light"),
    Shot("operator", 360, "dark"),
)
ROLES = {
    "kitchen": Role.KITCHEN,
    "board": Role.BOARD,
    "till": Role.TILL,
    "manager": Role.MANAGER,
    "operator": Role.OPERATOR,
}
SHOWN = {
    "kitchen": ".card",
    "board": ".entry",
    "till": ".table-tile:not(.is-free)",
    "order": ".bill-line",
    "manager": ".chart",
    "operator": ".figures",
}
STEPS = {
    "table": ".table-tile:not(.is-free)",
    "item": ".item:not(:disabled)",
    "menu": '[data-tab="menu"]',
}


async def take(browser: Browser, link: str, shot: Shot) -> None:
    """Take the picture."""
    width, height = SIZES[shot.width]
    context = await browser.new_context(locale="en-GB", viewport={"width": width, "height": height})
    settings = json.dumps(LATE_AFTER_MIN)
    await context.add_init_script(
        f"localStorage.getItem('comanda.settings') ?? "
        f"localStorage.setItem('comanda.settings', {json.dumps(settings)})"
    )
    page: Page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(f"{link}&lang=en&locale=en-GB&theme={shot.theme}")
    await page.locator(SHOWN[shot.page]).first.wait_for()
    for at, step in enumerate(shot.steps):
        await page.locator(STEPS[step]).nth(at).click()
    await page.evaluate(
        "Promise.all(document.getAnimations().map((each) => each.finished.catch(() => {})))"
        if shot.page != "kitchen"
        else "document.fonts.ready"
    )
    await page.wait_for_timeout(700)
    await page.screenshot(path=PICTURES / f"{shot.name or f'{shot.page}-{shot.width}'}.png")
    await context.close()


@contextlib.asynccontextmanager
async def a_browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox"]
        )
        yield browser
        await browser.close()


async def main(stack: Stack, host: PagesHost) -> None:
    """Play the evening, and take every picture."""
    venue = la_piazza()
    system = SystemUrls.of(stack)
    async with api.connected(system.addresses, system.auth()) as services:
        await set_menu(services, venue)
        evening = Evening(services, venue.slug)
        await evening.play(generate_visits(VISITS, venue.skus, seed=SEED))
        guest = await guests_link(stack, host, venue.slug)
        links = {
            name: staff_link(stack, host, venue.slug, name, role) for name, role in ROLES.items()
        }
        async with a_browser() as browser:
            for shot in SHOTS:
                await take(browser, guest if shot.page == "order" else links[shot.page], shot)


def staff_link(stack: Stack, host: PagesHost, restaurant: str, page: str, role: Role) -> str:
    where = EVERYWHERE if role is Role.OPERATOR else restaurant
    token = stack.issuer.token({where: [role]}, subject=f"{page}-picture", lifetime_s=3600)
    return host.link(page, restaurant, token)


async def guests_link(stack: Stack, host: PagesHost, restaurant: str) -> str:
    """Of a guest who has just ordered."""
    order: dict[str, Any] = {
        "channel": "takeaway",
        "customer": "Ada",
        "lines": [
            {"sku": "diavola", "quantity": 1},
            {"sku": "margherita", "quantity": 2, "note": "no basil"},
            {"sku": "tiramisu", "quantity": 1},
        ],
    }
    url = f"{stack.services['ordering'].url}/v1/restaurants/{restaurant}/orders"
    async with httpx.AsyncClient(trust_env=False, headers=bearer(issuer=stack.issuer)) as http:
        answer = (await http.post(url, json=order)).raise_for_status()
    token = answer.headers["comanda-guest-token"]
    return host.link("order", restaurant, token, order=answer.json()["order_id"])


if __name__ == "__main__":
    with temporary_folder() as folder, Stack(folder / "stack") as running:
        pages = PagesHost(free_port(), folder / "pages", SystemUrls.of(running).addresses)
        pages.start()
        try:
            asyncio.run(main(running, pages))
        finally:
            pages.stop()
