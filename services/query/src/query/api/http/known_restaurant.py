"""Whether a restaurant is known: who asks about one that is not is told so."""

from query.api.http.responses import from_store, unknown_restaurant
from query.views.merge import Document
from query.views.ports import Menus


async def known_restaurant(menus: Menus, slug: str) -> Document:
    """The restaurant's state; refused with 404 if there is none."""
    venue = await from_store(menus.restaurant(slug))
    if venue is None:
        raise unknown_restaurant(slug)
    return venue
