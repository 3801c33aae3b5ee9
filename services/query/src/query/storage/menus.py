"""Restaurants and menu items in MongoDB: of each the newest version, kept by the store itself."""

from collections.abc import Sequence

from pymongo import ASCENDING, UpdateOne

from query.storage.client import KEY_READ_TIME_MS_MAX, store_call
from query.storage.generations import Generation, Generations
from query.views.menu import MenuView
from query.views.merge import Document

MENU_INDEX = [
    ("restaurant", ASCENDING),
    ("state.withdrawn", ASCENDING),
    ("state.category", ASCENDING),
    ("state.name", ASCENDING),
]
"""The index that a menu is read from, in its order."""


class MongoMenus:
    """The port `Menus`, in the collections `restaurants` and `menu` of each generation."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations

    async def set_up(self) -> None:
        """Make the index, if it is not there."""
        for generation in await self._generations.written():
            await generation.menu.create_index(MENU_INDEX)

    async def merge_items(self, items: Sequence[MenuView]) -> None:
        updates = [_merge_update(item) for item in items]
        await self._generations.write(lambda generation: generation.menu, updates)

    async def merge_restaurants(self, restaurants: Sequence[MenuView]) -> None:
        updates = [_merge_update(restaurant) for restaurant in restaurants]
        await self._generations.write(lambda generation: generation.restaurants, updates)

    async def restaurant(self, slug: str, *, only_current: bool = False) -> Document | None:
        async def question(live: Generation) -> Document | None:
            async with store_call():
                return await live.restaurants.find_one({"_id": slug})

        found = await self._generations.answer(question, only_current=only_current)
        return found["state"] if found else None

    async def restaurants(
        self, named: Sequence[str] | None, after: str, limit: int
    ) -> list[Document]:
        among = {} if named is None else {"$in": list(named)}

        async def question(live: Generation) -> list[Document]:
            found = live.restaurants.find(
                {"_id": {"$gt": after, **among}},
                {"state": 1},
                sort=[("_id", ASCENDING)],
                limit=limit,
                max_time_ms=KEY_READ_TIME_MS_MAX,
            )
            async with store_call():
                return await found.to_list()

        return [each["state"] for each in await self._generations.answer(question)]

    async def categories(self, slug: str) -> dict[str, str]:
        async def question(live: Generation) -> list[Document]:
            found = live.menu.find({"restaurant": slug}, {"state.sku": 1, "state.category": 1})
            async with store_call():
                return await found.to_list()

        states = [item["state"] for item in await self._generations.answer(question)]
        return {state["sku"]: state["category"] for state in states}

    async def items(self, slug: str, *, only_current: bool = False) -> list[Document]:
        async def question(live: Generation) -> list[Document]:
            found = live.menu.find(
                {"restaurant": slug, "state.withdrawn": False},
                sort=[("state.category", ASCENDING), ("state.name", ASCENDING)],
            )
            async with store_call():
                return await found.to_list()

        found = await self._generations.answer(question, only_current=only_current)
        return [item["state"] for item in found]


def _merge_update(view: MenuView) -> UpdateOne:
    """`$max` compares states key by key and their version comes first, so the newer one stays."""
    return UpdateOne(
        {"_id": view.key},
        {"$set": {"restaurant": view.restaurant}, "$max": {"state": view.state}},
        upsert=True,
    )
