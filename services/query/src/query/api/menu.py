"""Questions about what a restaurant offers."""

from fastapi import APIRouter, Response

from query.api.http import schema
from query.api.http.known_restaurant import known_restaurant
from query.api.http.openapi import OF_A_RESTAURANT
from query.api.http.parameters import PREFIX, Slug
from query.api.http.responses import answer, asked
from query.views.ports import Menus


def menu_routes(menus: Menus) -> APIRouter:
    """The menu as guests see it."""
    router = APIRouter(prefix=PREFIX, responses=OF_A_RESTAURANT)

    @router.get("/menu", response_model=schema.Menu)
    async def menu(restaurant: Slug) -> Response:
        """The restaurant and the items on its menu, by category and name."""
        venue = await known_restaurant(menus, restaurant)
        return answer({"restaurant": venue, "items": await asked(menus.items(restaurant))})

    return router
