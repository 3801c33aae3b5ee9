"""Point-of-sale exports: reading them, whatever they look like. Pure: text in, orders out."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation

from comanda_local.menus import Item

ORDER_COLUMN = "Order Number"
DATE_COLUMN = "Order Date"
ITEM_COLUMN = "Item Name"
QUANTITY_COLUMN = "Quantity"
ORDER_COLUMNS = (ORDER_COLUMN, DATE_COLUMN, ITEM_COLUMN, QUANTITY_COLUMN)
PRICE_COLUMN = "Product Price"
DATE_FORMAT = "%d/%m/%Y %H:%M"
CATEGORY = "Takeaway"

ORDER_LINES_MAX = 200
QUANTITY_MAX = 999
NAME_LENGTH_MAX = 120
PRICE_MAX = 100_000_000
"""Minor units. These four are ordering's limits."""
SKU_LENGTH_MAX = 56
"""Characters, so that a number for uniqueness still fits into a sku."""

Row = Mapping[str, str]


class NotAnExport(ValueError):
    """The file has not the columns that it should have; the text says which."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was left out."""

    line: int
    """In the file, from 1; of a row over several lines the last."""
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class SoldOrder:
    """One order as it was sold then: skus and quantities, an item perhaps more than once."""

    number: str
    at: datetime
    """Local time of the shop."""
    lines: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Export:
    """What a file holds, and what in it could not be used."""

    items: dict[str, Item] = field(default_factory=dict)
    """By name."""
    orders: list[SoldOrder] = field(default_factory=list)
    """By date."""
    bad_rows: list[BadRow] = field(default_factory=list)


def decode(content: bytes) -> str:
    """The text of a file: UTF-8 with or without byte-order mark, else Windows' western code."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def read_prices(text: str) -> Export:
    """Read the price list: an item for each name, with a sku of its own.

    Raises NotAnExport.
    """
    found = Export()
    skus: set[str] = set()
    for line, row in _rows(text, (ITEM_COLUMN, PRICE_COLUMN), found.bad_rows):
        try:
            name, price = _name(row[ITEM_COLUMN]), _price(row[PRICE_COLUMN])
        except ValueError as error:
            found.bad_rows.append(BadRow(line, str(error)))
            continue
        known = found.items.get(name)
        if known is None:
            found.items[name] = Item(_sku(name, skus), name, CATEGORY, price)
        elif known.price != price:
            found.bad_rows.append(BadRow(line, f"{name!r} has another price further up"))
    return found


def read_orders(text: str, items: Mapping[str, Item]) -> Export:
    """Read the orders: rows of one order may be anywhere in the file. Raises NotAnExport."""
    found = Export()
    dates: dict[str, datetime] = {}
    lines: dict[str, list[tuple[str, int]]] = {}
    for line, row in _rows(text, ORDER_COLUMNS, found.bad_rows):
        try:
            number, at, sold = _sold(row, items)
            if len(lines.get(number, ())) == ORDER_LINES_MAX:
                raise ValueError(f"order {number} has more than {ORDER_LINES_MAX} lines")
        except ValueError as error:
            found.bad_rows.append(BadRow(line, str(error)))
            continue
        dates[number] = min(at, dates.get(number, at))
        lines.setdefault(number, []).append(sold)
    found.orders = [SoldOrder(number, dates[number], tuple(lines[number])) for number in lines]
    found.orders.sort(key=lambda order: (order.at, order.number))
    return found


def _rows(text: str, columns: tuple[str, ...], bad_rows: list[BadRow]) -> Iterator[tuple[int, Row]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
    missing = [column for column in columns if column not in reader.fieldnames]
    if missing:
        raise NotAnExport(
            f"there is no column {' or '.join(map(repr, missing))}; "
            f"the first line has {', '.join(map(repr, reader.fieldnames)) or 'nothing'}"
        )
    for row in _tolerant(reader, bad_rows):
        if None in row or None in row.values():
            reason = f"it has not the {len(reader.fieldnames)} fields that the first line has"
            bad_rows.append(BadRow(reader.line_num, reason))
        else:
            yield reader.line_num, row


def _tolerant(reader: "csv.DictReader[str]", bad_rows: list[BadRow]) -> Iterator[dict[str, str]]:
    """The reader's rows, going on after those that are no CSV."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad_rows.append(BadRow(reader.line_num, str(error)))


def _sold(row: Row, items: Mapping[str, Item]) -> tuple[str, datetime, tuple[str, int]]:
    number = row[ORDER_COLUMN].strip()
    if not number:
        raise ValueError("the order number is missing")
    name = _name(row[ITEM_COLUMN])
    if name not in items:
        raise ValueError(f"{name!r} is not in the price list")
    return number, _date(row[DATE_COLUMN]), (items[name].sku, _quantity(row[QUANTITY_COLUMN]))


def _date(text: str) -> datetime:
    try:
        return datetime.strptime(text.strip(), DATE_FORMAT)  # noqa: DTZ007 - local time, as sold
    except ValueError:
        raise ValueError(f"{text!r} is not a date such as 31/12/2019 20:25") from None


def _quantity(text: str) -> int:
    if re.fullmatch(r"\s*[0-9]{1,4}\s*", text) and 1 <= int(text) <= QUANTITY_MAX:
        return int(text)
    raise ValueError(f"{text!r} is not a quantity from 1 to {QUANTITY_MAX}")


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise ValueError(f"{text!r} is not a name of 1 to {NAME_LENGTH_MAX} characters")
    return name


def _price(text: str) -> int:
    """In minor units, of which a hundred are a whole."""
    try:
        price = Decimal(text.strip()) * 100
    except InvalidOperation:
        price = Decimal("NaN")
    if price.is_finite() and price == price.to_integral_value() and 0 <= price <= PRICE_MAX:
        return int(price)
    raise ValueError(f"{text!r} is not a price such as 8.95")


def _sku(name: str, taken: set[str]) -> str:
    """A sku made from the name, and not yet taken; it is taken then."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SKU_LENGTH_MAX].strip("-") or "item"
    sku, number = slug, 1
    while sku in taken:
        number += 1
        sku = f"{slug}-{number}"
    taken.add(sku)
    return sku
