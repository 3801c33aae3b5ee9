"""Questions about what a restaurant offers."""

from comanda_contracts.subjects import Slug
from fastapi import APIRouter, Response
from service_kit.problems import problem_responses

from query.inbound import schema
from query.inbound.http.answers import answer, asked
from query.inbound.http.parameters import PREFIX
from query.inbound.http.restaurants import known_restaurant
from query.views.store import Menus


def menu_routes(menus: Menus) -> APIRouter:
    """The menu as guests see it."""
    router = APIRouter(prefix=PREFIX, responses=problem_responses(404, 422, 503))

    @router.get("/menu", response_model=schema.Menu)
    async def menu(restaurant: Slug) -> Response:
        """The restaurant and the items on its menu, by category and name."""
        venue = await known_restaurant(menus, restaurant)
        return answer({"restaurant": venue, "items": await asked(menus.items(restaurant))})

    return router
