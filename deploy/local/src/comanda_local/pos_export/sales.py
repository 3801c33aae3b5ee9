"""The orders of an export: rows of one order may be anywhere in the file."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from comanda_local.menus import Item
from comanda_local.pos_export.amounts import guess_mark, number, parse_mark
from comanda_local.pos_export.catalogue import Catalogue, category, item_name
from comanda_local.pos_export.columns import Column
from comanda_local.pos_export.dates import DateReader, given_dates, guess_dates
from comanda_local.pos_export.encodings import decode
from comanda_local.pos_export.file_format import FileFormat, of_orders
from comanda_local.pos_export.orders import SoldLine, SoldOrder, SoldRow, to_orders
from comanda_local.pos_export.price_list import PriceList
from comanda_local.pos_export.reading import PriceFormat, Reading
from comanda_local.pos_export.sheet import Places, Row, Sheet, missing, read_sheet

LARGEST_QUANTITY = 999
LONGEST_NOTE = 200
LONGEST_NUMBER = 116
"""Characters, so that it fits into a customer's name with `No. `. These three are ordering's."""
NO_OPTIONS = frozenset({"", "-", "[]", "null", "none", "nan", "n/a"})
_WHOLE = re.compile(r"[0-9]+\.0+")
_ROUNDED = re.compile(r"[0-9]\.[0-9]+E\+?[0-9]+|[0-9]E\+[0-9]+", re.IGNORECASE)

ItemOf = Callable[[Row, int], Item]
"""The item of a row of which so many were sold; raises ValueError."""


@dataclass(slots=True)
class Sales:
    """The orders that were read, and what they sell."""

    reading: Reading
    currency: str | None
    """None if it has to be asked."""
    catalogue: Catalogue
    orders: list[SoldOrder] = field(default_factory=list)
    """By date; without dates as in the file."""


@dataclass(frozen=True, slots=True)
class _RowReader:
    item: ItemOf
    date: DateReader | None
    quantity_mark: str
    whole_numbers: bool
    """Whether every order's number was written as a float, `150040.0`."""

    def read(self, row: Row) -> SoldRow:
        order = self._number(row.fields[Column.ORDER])
        at = self._at(row)
        quantity = self._quantity(row)
        sold = SoldLine(self.item(row, quantity).sku, quantity, _note(row))
        return SoldRow(row, order, at, sold)

    def _number(self, text: str) -> str:
        order = text.strip()
        if not order:
            raise ValueError("the order number is missing")
        if _ROUNDED.fullmatch(order):
            raise ValueError(f"{order!r} is an order number that a spreadsheet has rounded")
        if not order.isprintable() or '"' in order or len(order) > LONGEST_NUMBER:
            raise ValueError(f"{order!r} is not a number of 1 to {LONGEST_NUMBER} characters")
        return order.partition(".")[0] if self.whole_numbers else order

    def _at(self, row: Row) -> datetime | None:
        return self.date(_date_text(row)) if self.date else None

    def _quantity(self, row: Row) -> int:
        if Column.QUANTITY not in row.fields:
            return 1
        text = row.fields[Column.QUANTITY]
        amount = number(text.strip(), self.quantity_mark)
        if amount is None or amount != int(amount) or not 1 <= amount <= LARGEST_QUANTITY:
            raise ValueError(f"{text!r} is not a quantity from 1 to {LARGEST_QUANTITY}")
        return int(amount)


def read_sales(content: bytes, written: FileFormat, price_list: PriceList | None) -> Sales:
    """Read the orders, at their own prices if there is no list. Raises NotAnExport."""
    decoded = decode(content, of_orders(written.encodings))
    pick = partial(_pick, price_list=price_list)
    sheet = read_sheet(decoded, written.columns, of_orders(written.delimiters), pick)
    reading = Reading(sheet)
    dates = _dates(reading, written.date_format)
    mark = _quantity_mark(reading, of_orders(written.decimals))
    if price_list is not None:
        found = Sales(reading, price_list.currency, price_list.catalogue)
        asked = price_list.reading.questions
        item: ItemOf | None = None if asked else partial(_listed, catalogue=found.catalogue)
    else:
        prices = _prices(reading, written)
        found = Sales(reading, prices.currency if prices else None, Catalogue())
        item = partial(_priced, prices=prices, catalogue=found.catalogue) if prices else None
    if item is not None and mark is not None and not reading.questions:
        _fill(found, _RowReader(item, dates, mark, _are_floats(sheet)), written)
    return found


def _pick(places: Places, price_list: PriceList | None) -> Sequence[Column]:
    """The columns that are used. Raises KeyError."""
    if Column.ORDER not in places:
        raise missing(Column.ORDER)
    if price_list is not None:
        keys = {key[0] for key in price_list.catalogue.items}
        names = [c for c in (Column.ITEM, Column.ID) if c in places and (c in keys or not keys)][:1]
        amounts: list[Column] = []
    else:
        names = [c for c in (Column.ITEM, Column.ID, Column.CATEGORY) if c in places]
        amounts = [c for c in (Column.PRICE, Column.TOTAL) if c in places][:1]
        if not amounts:
            raise missing(Column.PRICE, Column.TOTAL)
    if Column.ITEM not in names and Column.ID not in names:
        raise missing(Column.ITEM, Column.ID)
    dated = (Column.DATE, Column.TIME) if Column.DATE in places else ()
    others = (*dated, Column.QUANTITY, Column.OPTIONS)
    return [Column.ORDER, *names, *(c for c in others if c in places), *amounts]


def _dates(reading: Reading, date_format: str | None) -> DateReader | None:
    if Column.DATE not in reading.sheet.columns:
        reading.notes.append("dates: no column has them, so orders stay as in the file")
        return None
    if date_format:
        return given_dates(date_format)
    values = [(row.line, _date_text(row)) for row in reading.sheet.rows]
    return reading.guess(lambda: guess_dates(values))


def _date_text(row: Row) -> str:
    return f"{row.fields[Column.DATE]} {row.fields.get(Column.TIME, '')}".strip()


def _quantity_mark(reading: Reading, decimal: str | None) -> str | None:
    """The mark in quantities, which may be another than in prices: exports are put together."""
    if Column.QUANTITY not in reading.sheet.columns:
        reading.notes.append("quantities: no column has them, so each row is one")
    values = (
        reading.sheet.values(Column.QUANTITY) if Column.QUANTITY in reading.sheet.columns else []
    )
    given = parse_mark(decimal) if decimal else None
    return reading.guess(lambda: _named("quantities", guess_mark(values, given)))


def _named(name: str, guess: tuple[str, str]) -> tuple[str, str]:
    return guess[0], f"{name}: {guess[1]}"


def _prices(reading: Reading, written: FileFormat) -> PriceFormat | None:
    column = Column.PRICE if Column.PRICE in reading.sheet.columns else Column.TOTAL
    if column is Column.TOTAL:
        reading.notes.append("prices: no column has them, so they are totals by quantity")
    return reading.price_format(column, of_orders(written.decimals), written.currency)


def _are_floats(sheet: Sheet) -> bool:
    return all(_WHOLE.fullmatch(value) for _, value in sheet.values(Column.ORDER))


def _listed(row: Row, _quantity: int, *, catalogue: Catalogue) -> Item:
    """The row's item in the price list."""
    column = Column.ITEM if Column.ITEM in row.fields else Column.ID
    name = item_name(row)
    if (column, name) not in catalogue.items:
        raise ValueError(f"{name!r} is not in the price list")
    return catalogue.items[column, name]


def _priced(row: Row, quantity: int, *, prices: PriceFormat, catalogue: Catalogue) -> Item:
    """The row's item at the row's price: at another price it is another item."""
    name = item_name(row)
    if Column.PRICE in row.fields:
        price = prices.price(row.fields[Column.PRICE])
    else:
        text = row.fields[Column.TOTAL]
        price, rest = divmod(prices.price(text), quantity)
        if rest:
            raise ValueError(f"{text!r} is not a total of {quantity} at one price")
    identifier = row.fields.get(Column.ID, "").strip()
    return catalogue.put((identifier, name, price), name, category(row), price)


def _note(row: Row) -> str | None:
    """The options of a row's item, if it has any."""
    text = " ".join(row.fields.get(Column.OPTIONS, "").split())
    if text.lower() in NO_OPTIONS:
        return None
    if len(text) > LONGEST_NOTE or not text.isprintable():
        raise ValueError(f"its options are no line of 1 to {LONGEST_NOTE} characters")
    return text


def _fill(found: Sales, reader: _RowReader, written: FileFormat) -> None:
    """Read the rows into orders."""
    sold: list[SoldRow] = []
    for row in found.reading.sheet.rows:
        try:
            sold.append(reader.read(row))
        except ValueError as error:
            found.reading.leave_out(row, error)
    found.orders = to_orders(sold, written.numbers, found.reading)
