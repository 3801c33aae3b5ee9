"""The menu of a restaurant, over HTTP."""

from fastapi import APIRouter, Response

from query.api.http import needed, schema
from query.api.http.known_restaurant import known_restaurant
from query.api.http.openapi import RESTAURANT_REFUSALS
from query.api.http.parameters import PREFIX, Slug
from query.api.http.responses import from_store, json_response
from query.views.ports import Menus


def menu_routes(menus: Menus) -> APIRouter:
    """The route of the menu."""
    router = APIRouter(
        prefix=PREFIX,
        tags=["Restaurants"],
        responses=RESTAURANT_REFUSALS,
        dependencies=[needed.MENU],
    )

    @router.get("/menu", operation_id="getMenu", response_model=schema.Menu)
    async def menu(restaurant: Slug) -> Response:
        """The restaurant and the items on its menu, by category and name."""
        venue = await known_restaurant(menus, restaurant)
        return json_response(
            {"restaurant": venue, "items": await from_store(menus.items(restaurant))}
        )

    return router
