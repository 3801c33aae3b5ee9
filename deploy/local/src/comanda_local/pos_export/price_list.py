"""The price list that may come with an export: an item for each name or id."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from comanda_local.pos_export.catalogue import Catalogue, category, item_name
from comanda_local.pos_export.columns import Column
from comanda_local.pos_export.encodings import decode
from comanda_local.pos_export.file_format import FileFormat, of_prices
from comanda_local.pos_export.reading import PriceFormat, Reading
from comanda_local.pos_export.sheet import Places, Row, missing, read_sheet


@dataclass(slots=True)
class PriceList:
    """A price list, its items by name, `(ITEM, name)`, and by id, `(ID, id)`."""

    reading: Reading
    currency: str | None
    """None if it has to be asked."""
    catalogue: Catalogue = field(default_factory=Catalogue)


def read_price_list(content: bytes, written: FileFormat) -> PriceList:
    """Read a price list. Raises NotAnExport."""
    decoded = decode(content, of_prices(written.encodings))
    sheet = read_sheet(decoded, written.columns, of_prices(written.delimiters), _pick)
    reading = Reading(sheet)
    decimal = of_prices(written.decimals)
    prices = reading.price_format(Column.PRICE, decimal, written.currency)
    found = PriceList(reading, prices.currency if prices else None)
    if prices:
        _fill(found, prices)
    return found


def _fill(found: PriceList, prices: PriceFormat) -> None:
    for row in found.reading.sheet.rows:
        try:
            _put(row, prices, found.catalogue)
        except ValueError as error:
            found.reading.leave_out(row, error)


def _pick(places: Places) -> Sequence[Column]:
    if Column.ITEM not in places and Column.ID not in places:
        raise missing(Column.ITEM, Column.ID)
    if Column.PRICE not in places:
        raise missing(Column.PRICE)
    wanted = (Column.ITEM, Column.ID, Column.CATEGORY, Column.PRICE)
    return [column for column in wanted if column in places]


def _put(row: Row, prices: PriceFormat, catalogue: Catalogue) -> None:
    """Put the item of a row into the catalogue. Raises ValueError if it contradicts another."""
    name, minor_units = item_name(row), prices.price(row.fields[Column.PRICE])
    keys = [(Column.ITEM, name)] if Column.ITEM in row.fields else []
    if Column.ID in row.fields:
        identifier = row.fields[Column.ID].strip()
        if not identifier:
            raise ValueError("its id is missing")
        keys.append((Column.ID, identifier))
    for key in keys:
        known = catalogue.items.get(key)
        if known and (known.name, known.price) != (name, minor_units):
            raise ValueError(f"{key[1]!r} has another price or name further up")
    first = next((key for key in keys if key in catalogue.items), keys[0])
    item = catalogue.put(first, name, category(row), minor_units)
    catalogue.items.update(dict.fromkeys(keys, item))
