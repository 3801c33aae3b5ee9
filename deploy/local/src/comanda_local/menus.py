"""Restaurants with their menus, and how they are set in ordering."""

import asyncio
import json
from dataclasses import asdict, dataclass
from importlib import resources

from comanda_contracts import MenuItem
from comanda_contracts.restaurants import MIDNIGHT

from comanda_local.api import Api

REQUESTS_IN_FLIGHT = 16


@dataclass(frozen=True, slots=True)
class Item:
    """An item to be sold; its price is in minor units."""

    sku: str
    name: str
    category: str
    price: int


@dataclass(frozen=True, slots=True)
class Venue:
    """A restaurant to be set in ordering, with its menu."""

    slug: str
    name: str
    currency: str
    time_zone: str
    items: tuple[Item, ...]
    day_begins: str = MIDNIGHT
    """The local hour at which its business days begin, `HH:MM`."""

    @property
    def skus(self) -> list[str]:
        return [item.sku for item in self.items]


def la_piazza() -> Venue:
    """The sample restaurant."""
    text = resources.files("comanda_local").joinpath("la_piazza.json").read_text("utf-8")
    fields = json.loads(text)
    return Venue(**{**fields, "items": tuple(Item(**item) for item in fields["items"])})


async def set_menu(api: Api, venue: Venue) -> None:
    """Set the restaurant, and each item that is not yet as in its menu."""
    existing = {item.sku: item for item in await api.menu(venue.slug)}
    await api.set_restaurant(
        venue.slug,
        name=venue.name,
        currency=venue.currency,
        time_zone=venue.time_zone,
        day_begins=venue.day_begins,
    )
    turn = asyncio.Semaphore(REQUESTS_IN_FLIGHT)

    async def put(item: Item) -> None:
        fields = asdict(item)
        async with turn:
            await api.set_item(venue.slug, fields.pop("sku"), **fields)

    wanting = (item for item in venue.items if not _is_unchanged(existing.get(item.sku), item))
    await asyncio.gather(*(put(item) for item in wanting))


def _is_unchanged(existing: MenuItem | None, item: Item) -> bool:
    if existing is None or existing.withdrawn or not existing.available:
        return False
    return all(getattr(existing, name) == value for name, value in asdict(item).items())
