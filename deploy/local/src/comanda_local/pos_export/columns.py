"""The columns of an export: what each is called, here and elsewhere."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum

from comanda_local.pos_export.findings import Ambiguous, NotAnExport


class Column(StrEnum):
    """What a column holds; the value is what the command line calls it."""

    ORDER = "order"
    DATE = "date"
    TIME = "time"
    ITEM = "item"
    ID = "id"
    QUANTITY = "quantity"
    PRICE = "price"
    TOTAL = "total"
    OPTIONS = "options"
    CATEGORY = "category"


NAMES = {
    Column.ORDER: (
        *("Order Number", "order", "order id", "order no", "order num", "order nr"),
        *("ticket", "ticket number", "ticket no", "ticket id", "check", "check number", "check id"),
        *("receipt", "receipt number", "receipt no", "receipt id", "bill number", "bill no"),
        *("invoice number", "invoice no", "transaction", "transaction id", "transaction number"),
    ),
    Column.DATE: (
        *("Order Date", "date", "datetime", "date time", "timestamp", "order datetime"),
        *("order date time", "order timestamp", "ordered at", "created at", "sale date"),
        *("transaction date", "transaction datetime", "ticket date"),
    ),
    Column.TIME: ("time", "order time", "sale time", "transaction time", "ticket time"),
    Column.ITEM: (
        *("Item Name", "item", "menu item", "menu item name", "article", "article name", "dish"),
        *("product", "product name", "product detail", "name", "description", "pizza name"),
    ),
    Column.ID: ("item id", "menu item id", "product id", "article id", "sku", "plu", "item code"),
    Column.QUANTITY: ("Quantity", "qty", "item quantity", "order quantity", "transaction qty"),
    Column.PRICE: (
        *("Product Price", "price", "unit price", "item price", "price per unit", "price each"),
        *("menu price",),
    ),
    Column.TOTAL: (
        *("Line Total", "total", "total price", "item total", "item total price", "total spent"),
        *("amount", "line amount", "transaction amount", "gross sales"),
    ),
    Column.OPTIONS: ("Options", "choice", "choices", "choice description", "modifiers", "modifier"),
    Column.CATEGORY: (
        *("Category", "item category", "menu category", "product category", "item type"),
        *("pizza category",),
    ),
}
"""Names by which exports call them, in any case and punctuation; the first stands in messages."""

_FILED = {column: {" ".join(name.lower().split()) for name in NAMES[column]} for column in Column}


def parse_columns(text: str) -> dict[Column, tuple[str, ...]]:
    """Read `order=Bon no,item=Dish`: a name for each column, more than one, or (`date=`) none.

    Raises NotAnExport.
    """
    found: dict[Column, tuple[str, ...]] = {}
    for part in re.split(r",(?=[^,=]*=)", text):
        key, equals, name = part.partition("=")
        if not equals:
            raise NotAnExport(f"{part!r} in --columns is not such as order=Bon no")
        column = _column(key)
        found[column] = (*found.get(column, ()), *([name.strip()] if name.strip() else []))
    return found


def find_columns(
    header: Sequence[str], given: Mapping[Column, tuple[str, ...]]
) -> dict[Column, list[int]]:
    """The places in the header that each column may have; only a given name counts where it is."""
    plain = [_plain(name) for name in header]
    found: dict[Column, list[int]] = {}
    for column in Column:
        wanted = {_plain(name) for name in given.get(column, ())}
        places = [place for place, name in enumerate(plain) if name in wanted]
        if not places and given.get(column) != ():
            taken = {_plain(name) for names in given.values() for name in names}
            ours = _FILED[column] - taken
            places = [place for place, name in enumerate(plain) if name in ours]
        if places:
            found[column] = places
    return found


def only(column: Column, places: Sequence[int], header: Sequence[str]) -> int:
    """The place of a column. Raises Ambiguous if it may be more than one."""
    if len(places) > 1:
        names = " or ".join(repr(header[place]) for place in places)
        raise Ambiguous(
            f"{NAMES[column][0]!r} may be column {names}; say which with --columns {column}=…"
        )
    return places[0]


def has_name(header: Sequence[str], name: str) -> bool:
    """Whether a header has a column of that name."""
    return _plain(name) in map(_plain, header)


def _column(key: str) -> Column:
    plain = _plain(key)
    for column in Column:
        if plain == column or plain in _FILED[column]:
            return column
    raise NotAnExport(f"there is no column {key.strip()!r}; --columns knows {', '.join(Column)}")


def _plain(name: str) -> str:
    """A header's name without case, accents and punctuation, its words apart."""
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name.replace("#", " number "))
    letters = unicodedata.normalize("NFKD", words.casefold())
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.findall(r"\w+", bare.replace("_", " ")))
