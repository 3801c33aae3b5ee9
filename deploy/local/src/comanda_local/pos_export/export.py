"""An export of one file or two: its orders, and all that has to be said about them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from comanda_local.menus import Item
from comanda_local.pos_export.columns import has_name
from comanda_local.pos_export.file_format import FileFormat
from comanda_local.pos_export.findings import NotAnExport
from comanda_local.pos_export.orders import SoldOrder
from comanda_local.pos_export.price_list import PriceList, read_price_list
from comanda_local.pos_export.reading import Reading
from comanda_local.pos_export.sales import read_sales


@dataclass(frozen=True, slots=True)
class File:
    """A file by its name."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Export:
    """What the files hold; no orders while there are questions."""

    readings: dict[str, Reading]
    """By the file's name: what was guessed, what is asked, what was left out."""
    currency: str | None
    items: tuple[Item, ...]
    orders: list[SoldOrder]

    @property
    def questions(self) -> list[str]:
        """What has to be said before the files can be read."""
        return [
            f"{name}: {question}"
            for name, reading in self.readings.items()
            for question in reading.questions
        ]

    @property
    def left_out_count(self) -> int:
        """Rows that can't be used."""
        return sum(len(reading.left_out()) for reading in self.readings.values())


def read_export(orders: File, prices: File | None, written: FileFormat) -> Export:
    """Read the orders, and the price list if they come with one. Raises NotAnExport."""
    price_list = _read_price_list(prices, written) if prices else None
    with _named(orders):
        sales = read_sales(orders.content, written, price_list)
    readings = {orders.name: sales.reading}
    if prices and price_list:
        readings = {prices.name: price_list.reading, **readings}
    _check_columns(written, readings)
    asked = any(reading.questions for reading in readings.values())
    return Export(readings, sales.currency, sales.catalogue.all(), [] if asked else sales.orders)


def _read_price_list(prices: File, written: FileFormat) -> PriceList:
    with _named(prices):
        return read_price_list(prices.content, written)


@contextmanager
def _named(file: File) -> Iterator[None]:
    try:
        yield
    except NotAnExport as error:
        raise NotAnExport(f"{file.name}: {error}") from error


def _check_columns(written: FileFormat, readings: dict[str, Reading]) -> None:
    """Every name that was given is a column somewhere."""
    headers = [reading.sheet.header.names for reading in readings.values()]
    for column, names in written.columns.items():
        for name in names:
            if not any(has_name(header, name) for header in headers):
                raise NotAnExport(
                    f"no file has a column {name!r}, which --columns has for {column}"
                )
