"""Restaurants and menus on a real MongoDB: the newest version stays, whatever comes when."""

import itertools

import pytest
from comanda_contracts import MenuEvent
from query.storage.menus import MongoMenus
from query.views.menu import MenuView, merge, view_of
from query.views.merge import merge_by_key

from tests.query.builders import offered, opened


def one_view_each(*events: MenuEvent) -> list[MenuView]:
    return merge_by_key(map(view_of, events), lambda view: view.key, merge)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_newest_version_of_an_item_stays(
    menus: MongoMenus, restaurant: str, order: tuple[int, ...]
) -> None:
    news = [
        offered(restaurant, "margherita", version=1, price=900),
        offered(restaurant, "margherita", version=2, price=850),
        offered(restaurant, "margherita", version=10, price=870),
    ]

    for number in order:
        await menus.merge_items(one_view_each(news[number]))
    await menus.merge_items(one_view_each(*news))

    items = await menus.items(restaurant)
    assert [(each["version"], each["price"]) for each in items] == [(10, 870)]


async def test_a_withdrawn_item_is_not_on_the_menu_even_if_it_was_set_late(
    menus: MongoMenus, restaurant: str
) -> None:
    await menus.merge_items(one_view_each(offered(restaurant, "tea", version=2, withdrawn=True)))
    await menus.merge_items(one_view_each(offered(restaurant, "tea", version=1)))

    assert await menus.items(restaurant) == []


async def test_a_menu_is_by_category_and_name_and_of_one_restaurant(
    menus: MongoMenus, restaurant: str
) -> None:
    await menus.merge_items(
        one_view_each(
            offered(restaurant, "tiramisu", category="Dolci"),
            offered(restaurant, "quattro", category="Pizza"),
            offered(restaurant, "affogato", category="Dolci"),
            offered("elsewhere", "pho", category="Zuppe"),
        )
    )

    items = await menus.items(restaurant)

    assert [each["sku"] for each in items] == ["affogato", "tiramisu", "quattro"]


async def test_the_newest_version_of_a_restaurant_stays(menus: MongoMenus, restaurant: str) -> None:
    for version, name in ((2, "Da Gino"), (1, "La Piazza")):
        await menus.merge_restaurants([view_of(opened(restaurant, version=version, name=name))])

    venue = await menus.restaurant(restaurant)

    assert venue is not None
    assert venue["name"] == "Da Gino"
    assert await menus.restaurant("elsewhere") is None
