"""Restaurants and menu items in MongoDB: of each the newest version, kept by the store itself."""

from collections.abc import Sequence

from pymongo import ASCENDING, UpdateOne

from query.outbound.mongo import Collection, Database, answering, write
from query.views.menu import Newest
from query.views.store import Document

OFFERED = [
    ("restaurant", ASCENDING),
    ("state.withdrawn", ASCENDING),
    ("state.category", ASCENDING),
    ("state.name", ASCENDING),
]
"""The index that a menu is read from, in its order."""


class MongoMenus:
    """The store `Menus`, in the collections `restaurants` and `menu`."""

    def __init__(self, database: Database) -> None:
        self._restaurants: Collection = database["restaurants"]
        self._items: Collection = database["menu"]

    async def set_up(self) -> None:
        """Make the index, if it is not there."""
        await self._items.create_index(OFFERED)

    async def merge_items(self, items: Sequence[Newest]) -> None:
        await write(self._items, [_joining(item) for item in items])

    async def merge_restaurants(self, restaurants: Sequence[Newest]) -> None:
        await write(self._restaurants, [_joining(restaurant) for restaurant in restaurants])

    async def restaurant(self, slug: str) -> Document | None:
        async with answering():
            found = await self._restaurants.find_one({"_id": slug})
        return found["state"] if found else None

    async def items(self, slug: str) -> list[Document]:
        found = self._items.find(
            {"restaurant": slug, "state.withdrawn": False},
            sort=[("state.category", ASCENDING), ("state.name", ASCENDING)],
        )
        async with answering():
            return [item["state"] for item in await found.to_list()]


def _joining(view: Newest) -> UpdateOne:
    """`$max` compares states key by key and their version comes first, so the newer one stays."""
    return UpdateOne(
        {"_id": view.key},
        {"$set": {"restaurant": view.restaurant}, "$max": {"state": view.state}},
        upsert=True,
    )
