"""Lists of a restaurant's orders."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from service_kit.problems import problem_responses

from query.inbound import schema
from query.inbound.http.answers import answer, asked
from query.inbound.http.caught_up import CaughtUp
from query.inbound.http.parameters import PREFIX
from query.inbound.http.restaurants import known_restaurant
from query.views.shown import shown_order
from query.views.store import Menus, Orders

MOST_ORDERS = 500

Active = Annotated[
    bool | None, Query(description="only orders that are not closed or cancelled, or only those")
]
Limit = Annotated[int, Query(ge=1, le=MOST_ORDERS)]


def list_routes(orders: Orders, menus: Menus, caught_up: CaughtUp) -> APIRouter:
    """Questions that are answered with many orders."""
    router = APIRouter(prefix=PREFIX, responses=problem_responses(404, 422, 503))

    @router.get("/orders", response_model=schema.OrderList, dependencies=[Depends(caught_up)])
    async def newest_orders(restaurant: str, active: Active = None, limit: Limit = 100) -> Response:
        """The restaurant's orders, newest first."""
        found = await asked(orders.newest(restaurant, active=active, limit=limit))
        if not found:
            await known_restaurant(menus, restaurant)
        return answer({"orders": [shown_order(document) for document in found]})

    return router
