"""The operator's page as people use it, on the real services; letters are given to it."""

import json
import re

import pytest
from comanda_local.access import Role
from playwright.async_api import Locator, Page, Route, expect

from tests.pages.conftest import PATIENCE_MS, Screens
from tests.pages.test_screens import violations

pytestmark = [
    pytest.mark.xdist_group("stack"),
    pytest.mark.servers,
    pytest.mark.timeout(300),
]

expect.set_options(timeout=PATIENCE_MS)

SUBJECT = "orders.v1.la-piazza.01968f6e.placed"
LETTER = {
    "number": 1,
    "since": "2026-11-27T12:00:00Z",
    "stream": "ORDERS",
    "sequence": 41,
    "subject": SUBJECT,
    "reason": "not JSON",
}
DETAILS = {**LETTER, "headers": {"ce-type": "comanda.order.placed.v1"}, "body": "{"}


class Letters:
    """What query has set aside, and what was thrown away of it."""

    def __init__(self) -> None:
        self.discarded: list[int] = []

    async def answer(self, route: Route) -> None:
        if route.request.method == "POST":
            self.discarded += json.loads(route.request.post_data or "")["numbers"]
            done = [{"number": each, "is_done": True, "reason": None} for each in self.discarded]
            await route.fulfill(json={"outcomes": done, "next": None})
        elif route.request.url.endswith("/1"):
            await route.fulfill(json=DETAILS)
        else:
            letters = [] if self.discarded else [LETTER]
            await route.fulfill(json={"letters": letters, "next": None})


def button(place: Page | Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name, exact=True)


async def letters_of(operator: Page) -> Letters:
    """The letters, which are on the screen."""
    letters = Letters()
    await operator.route(re.compile("/query/v1/operate/dead-letters"), letters.answer)
    await operator.get_by_role("button", name=re.compile("^query")).click()
    await expect(operator.get_by_text("not JSON")).to_be_visible()
    return letters


async def test_what_cannot_be_taken_back_is_asked_for_first(screens: Screens) -> None:
    operator = await screens.open("operator", Role.OPERATOR)
    await expect(operator.locator('.service[data-service="query"] table')).to_be_visible()
    letters = await letters_of(operator)
    await operator.get_by_label("All", exact=True).check()
    question = operator.get_by_role("alertdialog")

    await button(operator, "Discard").click()
    await expect(button(question, "No")).to_be_focused()
    await operator.keyboard.press("Escape")
    await expect(question).to_have_count(0)
    await expect(button(operator, "Discard")).to_be_focused()
    assert letters.discarded == []

    await button(operator, "Discard").click()
    await button(question, "Discard").click()
    await expect(operator.get_by_text("Nothing was set aside.")).to_be_visible()
    assert letters.discarded == [1]


@pytest.mark.packages
@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_every_operator_can_use_it(screens: Screens, axe: str, theme: str) -> None:
    """No colour is too faint and nothing is without a name, on a telephone too."""
    link = screens.link("operator", Role.OPERATOR, f"operator-{theme}") + f"&theme={theme}"
    operator = await screens.at(link, viewport={"width": 390, "height": 844})
    await letters_of(operator)

    assert await violations(operator, axe) == []
    await button(operator, SUBJECT).click()
    await expect(operator.get_by_role("dialog")).to_be_visible()
    assert await violations(operator, axe) == []
    await button(operator.get_by_role("dialog"), "Replay").click()
    await expect(operator.get_by_role("alertdialog")).to_be_visible()
    assert await violations(operator, axe) == []
