"""`comanda replay`: a point-of-sale export, ordered once more through the running system."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from comanda_local.api import Json
from comanda_local.interrupts import run
from comanda_local.menus import Venue
from comanda_local.pos_export.export import Export, File, read_export
from comanda_local.pos_export.file_format import FileFormat
from comanda_local.pos_export.orders import SoldLine, SoldOrder
from comanda_local.pos_export.reading import Reading
from comanda_local.report import print_some
from comanda_local.simulation import simulate
from comanda_local.system_urls import SystemUrls
from comanda_local.visits import Visit, takeaway


@dataclass(frozen=True, slots=True)
class Source:
    """What to read, and whether to go on without the rows that can't be used."""

    orders: Path
    prices: Path | None
    file_format: FileFormat
    skip_bad_rows: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """How to replay: at most `limit` orders, `rate` a second, `at_once` in flight."""

    restaurant: str
    zone: str
    limit: int | None
    rate: float | None
    at_once: int


def read(source: Source, console: Console) -> Export | None:
    """Read the files, and print how; None if the user has to say more, or mend them.

    Raises OSError or NotAnExport if a file can't be read.
    """
    orders = File(source.orders.name, source.orders.read_bytes())
    prices = File(source.prices.name, source.prices.read_bytes()) if source.prices else None
    export = read_export(orders, prices, source.file_format)
    for name, reading in export.readings.items():
        _print(name, reading, console)
    print_some(console, "Say more, before anything is placed:", export.questions)
    if export.questions:
        return None
    if export.left_out_count and not source.skip_bad_rows:
        console.print("Nothing is placed; --skip-bad-rows places what was not left out.")
        return None
    console.print(f"{len(export.orders):,} orders of {len(export.items):,} items.")
    return export


def place(export: Export, wanted: Replay, system: SystemUrls, console: Console) -> bool:
    """Returns whether every order went well and the audit is clean."""
    visits = [_visit(order) for order in export.orders[: wanted.limit]]
    if not visits or export.currency is None:
        console.print("There is no order to place.")
        return False
    venue = Venue(wanted.restaurant, "Takeaway", export.currency, wanted.zone, export.items)
    return run(
        simulate(system, venue, visits, at_once=wanted.at_once, rate=wanted.rate, console=console)
    )


def _print(name: str, reading: Reading, console: Console) -> None:
    print_some(console, f"{name} is read so:", reading.notes)
    left_out = reading.left_out()
    counts = f"{reading.row_count:,} rows, of which {len(left_out):,} are left out"
    console.print(f"  {counts}", highlight=False)
    print_some(console, f"Left out of {name}:", left_out, most=len(left_out))


def _visit(order: SoldOrder) -> Visit:
    return takeaway(f"order {order.number}", f"No. {order.number}", list(map(_line, order.lines)))


def _line(line: SoldLine) -> Json:
    found: Json = {"sku": line.sku, "quantity": line.quantity}
    return found | {"note": line.note} if line.note else found
