"""Restaurants with their menus, and how one is put up for business."""

import asyncio
import json
from dataclasses import asdict, dataclass
from importlib import resources

from comanda_contracts import MenuItem

from comanda_local.api import Api

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Item:
    """An item to be sold; its price is in minor units."""

    sku: str
    name: str
    category: str
    price: int


@dataclass(frozen=True, slots=True)
class Venue:
    """A restaurant to be put up, with its menu."""

    slug: str
    name: str
    currency: str
    time_zone: str
    items: tuple[Item, ...]

    @property
    def skus(self) -> list[str]:
        return [item.sku for item in self.items]


def la_piazza() -> Venue:
    """The sample restaurant."""
    text = resources.files("comanda_local").joinpath("la_piazza.json").read_text("utf-8")
    fields = json.loads(text)
    return Venue(**{**fields, "items": tuple(Item(**item) for item in fields["items"])})


async def put_up(api: Api, venue: Venue) -> None:
    """Set the restaurant and every item that is not yet as in its menu."""
    existing = {item.sku: item for item in await api.menu(venue.slug)}
    await api.set_restaurant(
        venue.slug, name=venue.name, currency=venue.currency, time_zone=venue.time_zone
    )
    turn = asyncio.Semaphore(AT_ONCE)

    async def put(item: Item) -> None:
        fields = asdict(item)
        async with turn:
            await api.set_item(venue.slug, fields.pop("sku"), **fields)

    wanting = (item for item in venue.items if not _is_as_wanted(existing.get(item.sku), item))
    await asyncio.gather(*(put(item) for item in wanting))


def _is_as_wanted(existing: MenuItem | None, item: Item) -> bool:
    if existing is None or existing.withdrawn or not existing.available:
        return False
    return all(getattr(existing, name) == value for name, value in asdict(item).items())
