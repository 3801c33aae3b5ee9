"""Refuses requests about restaurants that are not known."""

from query.api.http.responses import from_store, unknown_restaurant
from query.views.merge import Document
from query.views.ports import Menus


async def known_restaurant(menus: Menus, slug: str, *, only_current: bool = False) -> Document:
    """The restaurant's state; raises ProblemError (404) if it is not known."""
    venue = await from_store(menus.restaurant(slug, only_current=only_current))
    if venue is None:
        raise unknown_restaurant(slug)
    return venue
