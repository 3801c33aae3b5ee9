"""A kitchen's screen that is open for days takes no more memory than after an hour."""

from collections.abc import Iterator

import pytest
from comanda_local.api import Addresses
from comanda_local.folders import temporary_folder
from comanda_local.pages_host import PagesHost
from comanda_local.ports import LOOPBACK, free_port
from playwright.async_api import Browser, CDPSession, expect

from tests.pages.conftest import PATIENCE_MS

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.servers, pytest.mark.timeout(300)]

GROWTH_BYTES_MAX = 1_000_000
FEED = """
    window.fetch = (url) => {
        if (!String(url).includes("/live")) return Promise.reject(new TypeError("no network"));
        const { readable, writable } = new TransformStream();
        window.feed = writable.getWriter();
        const headers = { date: new Date().toUTCString() };
        return Promise.resolve(new Response(readable, { headers }));
    };
    window.tell = (name, data) => {
        const event = `event: ${name}\\ndata: ${JSON.stringify(data)}\\n\\n`;
        return window.feed.write(new TextEncoder().encode(event));
    };
    window.play = async (from, to) => {
        for (let at = from; at < to; at += 1) {
            for (const [done, status] of ["queued", "preparing", "ready", "served"].entries()) {
                await window.tell("ticket", {
                    restaurant: "r", version: done + 1, order_id: `order-${at}`, round: 1,
                    number: `A-${at}`, channel: "takeaway", customer: "Ada", status,
                    lines: [{ sku: "cola", name: "Cola", quantity: 1, note: "ice ".repeat(300) }],
                    ordered_at: new Date().toISOString(),
                });
            }
            if (at % 50 === 0) await new Promise(requestAnimationFrame);
        }
    };
"""
"""A feed in the page itself, with what comes of orders that are cooked one after another."""


@pytest.fixture(scope="module")
def alone() -> Iterator[PagesHost]:
    """A host without services behind it."""
    nowhere = f"http://{LOOPBACK}:{free_port()}"
    with temporary_folder() as folder:
        host = PagesHost(free_port(), folder / "pages", Addresses(nowhere, nowhere, nowhere))
        host.start()
        yield host
        host.stop()


async def test_ten_thousand_events_leave_no_more_behind_than_a_thousand(
    alone: PagesHost, browser: Browser
) -> None:
    context = await browser.new_context(service_workers="block")
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.add_init_script(FEED)
    await page.goto(alone.link("kitchen", "r", "none"))
    await page.wait_for_function("window.feed !== undefined")
    await page.evaluate("tell('snapshot', { tickets: [] })")
    await expect(page.get_by_text("All clear")).to_be_visible(timeout=PATIENCE_MS)
    session = await context.new_cdp_session(page)

    await page.evaluate("play(0, 250)")
    after_an_hour = await used_bytes(session)
    await page.evaluate("play(250, 2500)")
    after_days = await used_bytes(session)

    assert after_days - after_an_hour < GROWTH_BYTES_MAX
    await context.close()


async def used_bytes(session: CDPSession) -> int:
    """What the page holds of its heap, once what nobody holds is gone."""
    for _ in range(2):
        await session.send("HeapProfiler.collectGarbage")
    return int((await session.send("Runtime.getHeapUsage"))["usedSize"])
