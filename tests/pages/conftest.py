"""The pages in a real browser, on the system that tests share."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from comanda_local.access import EVERYWHERE, Role
from comanda_local.folders import temporary_folder
from comanda_local.pages_host import PagesHost
from comanda_local.ports import free_port
from comanda_local.stack import Stack
from comanda_local.system_urls import SystemUrls
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.e2e.restaurant import Restaurant
from tests.node import installed
from tests.support.browser import chromium
from tests.support.tokens import bearer

PAGES = Path(__file__).parents[2] / "services" / "pages"
PATIENCE_MS = 60_000
"""Within which what is under way must be seen."""


@pytest.fixture(scope="session")
def host(stack: Stack) -> Iterator[PagesHost]:
    with temporary_folder() as folder:
        host = PagesHost(free_port(), folder / "pages", SystemUrls.of(stack).addresses)
        host.start()
        yield host
        host.stop()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox"]
        browser = await playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that finds what people can't read, hear or reach."""
    return (installed(PAGES) / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture
def restaurant(stack: Stack) -> Restaurant:
    return Restaurant(stack)


class Screens:
    """Devices of one restaurant, each with a browser of its own and a token of its own."""

    def __init__(self, browser: Browser, host: PagesHost, stack: Stack, slug: str) -> None:
        self.host = host
        self.slug = slug
        self.complaints: list[str] = []
        """What the browsers' consoles said."""
        self._browser = browser
        self._stack = stack
        self._contexts: list[BrowserContext] = []

    async def open(self, page: str, role: Role, **context: Any) -> Page:
        """A device with this page, which has a role."""
        return await self.at(self.link(page, role, f"{page}-{uuid.uuid4().hex[:6]}"), **context)

    def link(self, page: str, role: Role, subject: str) -> str:
        """The pairing link of a device with this subject."""
        where = EVERYWHERE if role is Role.OPERATOR else self.slug
        token = self._stack.issuer.token({where: [role]}, subject=subject, lifetime_s=3600)
        return self.host.link(page, self.slug, token)

    async def place(self, order: dict[str, Any]) -> dict[str, Any]:
        """An order, as answered over the pages' host, with the guest's token as `guest`."""
        url = f"{self.host.url}/ordering/v1/restaurants/{self.slug}/orders"
        headers = bearer(issuer=self._stack.issuer)
        async with httpx.AsyncClient(trust_env=False, headers=headers, timeout=60) as http:
            answer = (await http.post(url, json=order)).raise_for_status()
        placed: dict[str, Any] = answer.json()
        assert answer.headers["location"].startswith("/ordering/v1/")
        return placed | {"guest": answer.headers["comanda-guest-token"]}

    async def open_order(self, order: dict[str, Any], **context: Any) -> Page:
        """A guest's phone, by the link to his order."""
        link = self.host.link("order", self.slug, order["guest"], order=order["order_id"])
        return await self.at(link, **context)

    async def at(self, link: str, **context: Any) -> Page:
        settings = {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **context}
        self._contexts.append(await self._browser.new_context(**settings))
        page = await self._contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note)
        await page.goto(link)
        return page

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()

    def _note(self, message: Any) -> None:
        is_of_network = message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not is_of_network:
            self.complaints.append(message.text)


@pytest.fixture
async def screens(
    browser: Browser, host: PagesHost, stack: Stack, restaurant: Restaurant
) -> AsyncIterator[Screens]:
    screens = Screens(browser, host, stack, restaurant.slug)
    yield screens
    await screens.close()
    assert screens.complaints == []
