"""The items that an export sells, each with a sku of its own."""

import re
import unicodedata
from dataclasses import dataclass, field

from comanda_local.menus import Item
from comanda_local.pos_export.columns import Column
from comanda_local.pos_export.sheet import Row

Key = tuple[str | int, ...]
CATEGORY = "Takeaway"
"""Of items whose category is not told."""
LONGEST_NAME = 120
"""Characters; ordering's limit."""
LONGEST_SLUG = 56
"""Characters, so that a number for uniqueness still fits into a sku."""


@dataclass(slots=True)
class Catalogue:
    """Items by whatever tells them apart."""

    items: dict[Key, Item] = field(default_factory=dict)
    skus: set[str] = field(default_factory=set)

    def put(self, key: Key, name: str, category: str, minor_units: int) -> Item:
        """The item by the key; it is made if there is none."""
        if key not in self.items:
            self.items[key] = Item(_sku(name, self.skus), name, category, minor_units)
        return self.items[key]

    def all(self) -> tuple[Item, ...]:
        """Every item once."""
        return tuple(dict.fromkeys(self.items.values()))


def item_name(row: Row) -> str:
    """The name of a row's item, else its id. Raises ValueError."""
    column = Column.ITEM if Column.ITEM in row.fields else Column.ID
    return name_of(row.fields[column])


def category(row: Row) -> str:
    """The category of a row's item, if it tells one. Raises ValueError."""
    text = row.fields.get(Column.CATEGORY, "").strip()
    return name_of(text) if text else CATEGORY


def name_of(text: str) -> str:
    """A name on one line. Raises ValueError."""
    name = " ".join(text.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"{text!r} is not a name of 1 to {LONGEST_NAME} characters")
    return name


def _sku(name: str, taken: set[str]) -> str:
    """A sku made from the name, and not yet taken; it is taken then."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST_SLUG].strip("-") or "item"
    sku, number = slug, 1
    while sku in taken:
        number += 1
        sku = f"{slug}-{number}"
    taken.add(sku)
    return sku
