"""Exports for tests: files in a few words, and how they are read."""

from pathlib import Path
from typing import Any

from comanda_local.pos_export.export import Export, File, read_export
from comanda_local.pos_export.file_format import FileFormat

SHARED = Path(__file__).parents[3] / "shared"

PRICES = "Item Name,Product Price\nPilau Rice,2.95\nPlain Papadum,0.8\nCrème brûlée,5.00\n"
HEADER = "Order Number,Order Date,Item Name,Quantity\n"
ROW = "1,13/8/2019 19:00,Pilau Rice,1\n"


def read(orders: str | bytes, prices: str | bytes | None = PRICES, **file_format: Any) -> Export:
    """The export that the files hold."""
    return read_export(
        File("orders.csv", _content(orders)),
        None if prices is None else File("prices.csv", _content(prices)),
        FileFormat(**file_format),
    )


def left_out(export: Export, file: str = "orders.csv") -> list[tuple[int, str]]:
    """The rows that were left out, by line, and why."""
    return [(bad.line, bad.reason) for bad in export.readings[file].left_out()]


def _content(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
