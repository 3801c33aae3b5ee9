"""List a restaurant's menu."""

from collections.abc import Sequence

from ordering.application.transaction import Transaction
from ordering.domain.menu import MenuItem
from ordering.domain.refusals import UnknownRestaurant


async def list_menu(restaurant: str, *, transaction: Transaction) -> Sequence[MenuItem]:
    """List the items that are not withdrawn, by category and name. Raises UnknownRestaurant."""
    if await transaction.restaurant(restaurant) is None:
        raise UnknownRestaurant(restaurant)
    return await transaction.whole_menu(restaurant)
