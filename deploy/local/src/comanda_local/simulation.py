"""A simulation on a running system: set a menu, carry visits through, audit, report."""

from collections.abc import Sequence

from rich.console import Console

from comanda_local import api
from comanda_local.audit import CONVERGENCE_TIMEOUT_S
from comanda_local.audit.command import audit_restaurant
from comanda_local.evening import Evening
from comanda_local.menus import Venue, set_menu
from comanda_local.report import print_some, progress, table
from comanda_local.system_urls import SystemUrls
from comanda_local.visits import Visit


async def simulate(
    system: SystemUrls,
    venue: Venue,
    visits: Sequence[Visit],
    *,
    at_once: int,
    rate: float | None,
    console: Console,
) -> bool:
    """Carry the visits through and report. Returns whether all went well and the audit is clean."""
    async with api.connected(system.addresses, system.auth()) as services:
        await set_menu(services, venue)
        with progress(console, len(visits)) as watch:
            evening = Evening(services, venue.slug, at_once=at_once, rate=rate, watch=watch)
            tally = await evening.run(visits)
    with console.status("auditing …"):
        findings = await audit_restaurant(system, venue.slug, CONVERGENCE_TIMEOUT_S)
    console.print(table(tally, findings))
    print_some(console, "Visits that failed:", tally.failures)
    print_some(console, "Differences:", findings.differences)
    return not tally.failures and not findings.differences
