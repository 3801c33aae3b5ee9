"""`comanda audit`: the audit of a running system, printed."""

from rich.console import Console

from comanda_local import api
from comanda_local.audit.run import Findings, audit
from comanda_local.audit.sources import write_side
from comanda_local.system_urls import SystemUrls


async def audit_restaurant(system: SystemUrls, restaurant: str, patience: float) -> Findings:
    """Audit one restaurant."""
    async with (
        api.connected(system.addresses, system.auth()) as services,
        write_side(system) as writing,
    ):
        return await audit(restaurant, writing, services, patience=patience)


async def print_audit(
    system: SystemUrls, only: str | None, patience: float, console: Console
) -> bool:
    """Audit one restaurant, or every one that has orders. Returns whether all are equal."""
    async with write_side(system) as writing:
        restaurants = [only] if only else await writing.restaurants()
    if not restaurants:
        console.print("There are no orders yet.")
    return all(
        [await _print_audit_of(system, restaurant, patience, console) for restaurant in restaurants]
    )


async def _print_audit_of(
    system: SystemUrls, restaurant: str, patience: float, console: Console
) -> bool:
    with console.status(f"auditing {restaurant} …"):
        findings = await audit_restaurant(system, restaurant, patience)
    differences = len(findings.differences)
    for difference in findings.differences:
        console.print(str(difference), markup=False, highlight=False, soft_wrap=True)
    console.print(f"{restaurant}: {findings.orders:,} orders compared, {differences:,} differences")
    return not findings.differences
