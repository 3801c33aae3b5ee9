"""List a restaurant's menu."""

from collections.abc import Sequence
from typing import Protocol

from ordering.domain.menu import MenuItem
from ordering.domain.refusals import UnknownRestaurant


class Menus(Protocol):
    """The menus as they were committed."""

    async def whole(self, restaurant: str) -> Sequence[MenuItem] | None:
        """Every item that is not withdrawn, by category and name; None without the restaurant.

        Raises StoreUnavailable.
        """
        ...


async def list_menu(restaurant: str, *, menus: Menus) -> Sequence[MenuItem]:
    """List the items that are not withdrawn, by category and name.

    Raises UnknownRestaurant, StoreUnavailable.
    """
    items = await menus.whole(restaurant)
    if items is None:
        raise UnknownRestaurant(restaurant)
    return items
