"""One session with a running system: put a menu up, carry visits through, audit, report."""

from collections.abc import Sequence

from rich.console import Console

from comanda_local import api
from comanda_local.audit import PATIENCE, Findings, audit, write_side
from comanda_local.evening import Evening
from comanda_local.menus import Venue, put_up
from comanda_local.report import print_some, progress, table
from comanda_local.system_urls import SystemUrls
from comanda_local.visits import Visit


async def hold(
    system: SystemUrls,
    venue: Venue,
    visits: Sequence[Visit],
    *,
    at_once: int,
    rate: float | None,
    console: Console,
) -> bool:
    """Carry the visits through and report. Returns whether all went well and the audit is clean."""
    async with api.connected(system.addresses) as services:
        await put_up(services, venue)
        with progress(console, len(visits)) as watch:
            evening = Evening(services, venue.slug, at_once=at_once, rate=rate, watch=watch)
            tally = await evening.run(visits)
    with console.status("auditing …"):
        findings = await look(system, venue.slug, PATIENCE)
    console.print(table(tally, findings))
    print_some(console, "Visits that failed:", tally.failures)
    print_some(console, "Differences:", findings.differences)
    return not tally.failures and not findings.differences


async def look(system: SystemUrls, restaurant: str, patience: float) -> Findings:
    """Audit one restaurant."""
    async with api.connected(system.addresses) as services, write_side(system) as writing:
        return await audit(restaurant, writing, services, patience=patience)


async def look_around(
    system: SystemUrls, only: str | None, patience: float, console: Console
) -> bool:
    """Audit one restaurant, or every one that has orders. Returns whether all is equal."""
    async with write_side(system) as writing:
        restaurants = [only] if only else await writing.restaurants()
    if not restaurants:
        console.print("There are no orders yet.")
    return all(
        [await _look_at(system, restaurant, patience, console) for restaurant in restaurants]
    )


async def _look_at(system: SystemUrls, restaurant: str, patience: float, console: Console) -> bool:
    with console.status(f"auditing {restaurant} …"):
        findings = await look(system, restaurant, patience)
    differences = len(findings.differences)
    for difference in findings.differences:
        console.print(str(difference), markup=False, highlight=False, soft_wrap=True)
    console.print(f"{restaurant}: {findings.orders:,} orders compared, {differences:,} differences")
    return not findings.differences
