"""The menu of a restaurant, over HTTP."""

from collections.abc import Callable
from functools import partial

from fastapi import APIRouter, Response

from query.api.http import needed, schema
from query.api.http.known_restaurant import known_restaurant
from query.api.http.openapi import RESTAURANT_REFUSALS
from query.api.http.parameters import NOT_MODIFIED, PREFIX, IfNoneMatch, Slug
from query.api.http.response_cache import ResponseCache
from query.api.http.responses import Body, body_of, from_store, tagged_response
from query.views.ports import Menus

MENU_MAX_AGE_S = 60.0
"""For which a menu that feeds show is fresh while no change is told: it tells of no times."""


def menu_cache(menus: Menus, is_notified: Callable[[], bool]) -> ResponseCache:
    """A cache, for feeds, of menus by restaurant; `is_notified` as of any `ResponseCache`."""
    make = partial(_menu, menus, only_current=True)
    return ResponseCache("menu", make, is_notified, max_age_s=MENU_MAX_AGE_S)


def menu_routes(menus: Menus) -> APIRouter:
    """The route of the menu."""
    router = APIRouter(
        prefix=PREFIX,
        tags=["Restaurants"],
        responses=RESTAURANT_REFUSALS | NOT_MODIFIED,
        dependencies=[needed.MENU],
    )

    @router.get("/menu", operation_id="getMenu", response_model=schema.Menu)
    async def menu(restaurant: Slug, if_none_match: IfNoneMatch = None) -> Response:
        """The restaurant and the items on its menu, by category and name."""
        return tagged_response(await _menu(menus, restaurant), if_none_match)

    return router


async def _menu(menus: Menus, restaurant: str, *, only_current: bool = False) -> Body:
    """The menu as it is. Raises ProblemError."""
    venue = await known_restaurant(menus, restaurant, only_current=only_current)
    items = await from_store(menus.items(restaurant, only_current=only_current))
    return body_of({"restaurant": venue, "items": items})
