"""The board that guests see."""

from fastapi import APIRouter, Depends, Response
from service_kit.problems import problem_responses

from query.inbound import schema
from query.inbound.http.answers import answer, asked
from query.inbound.http.caught_up import CaughtUp
from query.inbound.http.parameters import PREFIX
from query.inbound.http.restaurants import known_restaurant
from query.views.store import Menus, Orders


def board_routes(orders: Orders, menus: Menus, caught_up: CaughtUp) -> APIRouter:
    """Which numbers are to be called out."""
    router = APIRouter(prefix=PREFIX, responses=problem_responses(404, 422, 503))

    @router.get("/board", response_model=schema.Board, dependencies=[Depends(caught_up)])
    async def board(restaurant: str) -> Response:
        """What is being prepared, with a place in the queue and an estimate, and what is ready."""
        columns = await asked(orders.board(restaurant))
        if not any(columns.values()):
            await known_restaurant(menus, restaurant)
        return answer(columns)

    return router
