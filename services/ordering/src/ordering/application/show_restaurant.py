"""Show a restaurant as it was committed."""

from typing import Protocol

from ordering.domain.refusals import UnknownRestaurant
from ordering.domain.restaurant import Restaurant


class Restaurants(Protocol):
    """The restaurants as they were committed."""

    async def one(self, slug: str) -> Restaurant | None:
        """The restaurant with this slug; None if there is none. Raises StoreUnavailable."""
        ...


async def show_restaurant(slug: str, *, restaurants: Restaurants) -> Restaurant:
    """Show a restaurant with all that was set of it. Raises UnknownRestaurant, StoreUnavailable."""
    restaurant = await restaurants.one(slug)
    if restaurant is None:
        raise UnknownRestaurant(slug)
    return restaurant
