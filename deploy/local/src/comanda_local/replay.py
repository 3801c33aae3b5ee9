"""`comanda replay`: a point-of-sale export, ordered once more through the running system."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from comanda_local import pos_export
from comanda_local.menus import Venue
from comanda_local.pos_export import Export, NotAnExport, SoldOrder
from comanda_local.report import print_some
from comanda_local.simulation import simulate
from comanda_local.system_urls import SystemUrls
from comanda_local.visits import Visit, takeaway


@dataclass(frozen=True, slots=True)
class Replay:
    """What to replay, and how: at most `limit` orders, `rate` a second, `at_once` in flight."""

    orders: Path
    prices: Path
    restaurant: str
    limit: int | None
    rate: float | None
    at_once: int


def replay(wanted: Replay, system: SystemUrls, console: Console) -> bool:
    """Returns whether every order went well and the audit is clean.

    Raises OSError or NotAnExport if a file can't be read.
    """
    prices = _read(wanted.prices, pos_export.read_prices)
    export = _read(wanted.orders, lambda text: pos_export.read_orders(text, prices.items))
    print_some(console, f"Left out of {wanted.prices.name}:", prices.bad_rows)
    print_some(console, f"Left out of {wanted.orders.name}:", export.bad_rows)
    visits = [_visit(order) for order in export.orders[: wanted.limit]]
    if not visits:
        console.print("There is no order to place.")
        return False
    items = tuple(prices.items.values())
    venue = Venue(wanted.restaurant, "Takeaway", "GBP", "Europe/London", items)
    return asyncio.run(
        simulate(system, venue, visits, at_once=wanted.at_once, rate=wanted.rate, console=console)
    )


def _read(file: Path, reader: Callable[[str], Export]) -> Export:
    try:
        return reader(pos_export.decode(file.read_bytes()))
    except NotAnExport as error:
        raise NotAnExport(f"{file}: {error}") from error


def _visit(order: SoldOrder) -> Visit:
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in order.lines]
    return takeaway(f"order {order.number}", f"No. {order.number}", lines)
