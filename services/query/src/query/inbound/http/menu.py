"""Questions about what a restaurant offers."""

from fastapi import APIRouter, Response

from query.inbound import schema
from query.inbound.http.answers import answer, asked
from query.inbound.http.documented import OF_A_RESTAURANT
from query.inbound.http.parameters import PREFIX, Slug
from query.inbound.http.restaurants import known_restaurant
from query.views.store import Menus


def menu_routes(menus: Menus) -> APIRouter:
    """The menu as guests see it."""
    router = APIRouter(prefix=PREFIX, responses=OF_A_RESTAURANT)

    @router.get("/menu", response_model=schema.Menu)
    async def menu(restaurant: Slug) -> Response:
        """The restaurant and the items on its menu, by category and name."""
        venue = await known_restaurant(menus, restaurant)
        return answer({"restaurant": venue, "items": await asked(menus.items(restaurant))})

    return router
