"""The board that guests see."""

import asyncio
import re
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends, Request, Response
from service_kit.http.fast_lane import Lane, RawRequest

from query.api.http import schema
from query.api.http.known_restaurant import known_restaurant
from query.api.http.openapi import OF_MANY_ORDERS
from query.api.http.parameters import NOT_MODIFIED, PREFIX, SOME_RESTAURANT, IfNoneMatch, Slug
from query.api.http.read_your_writes import CaughtUp
from query.api.http.response_cache import Renderings, as_kept
from query.api.http.responses import Body, asked, body, tagged
from query.views.ports import Menus, Orders

BOARD = re.compile(f"{SOME_RESTAURANT}/board")


def rendered_boards(orders: Orders, menus: Menus, is_told: Callable[[], bool]) -> Renderings:
    """The boards as they are sent; `is_told` says whether their changes are heard of."""

    async def render(restaurant: str) -> Body:
        columns = await asked(orders.board(restaurant))
        if not any(columns.values()):
            await known_restaurant(menus, restaurant)
        return body(columns)

    return Renderings("board", render, is_told)


def board_lane(boards: Renderings) -> Lane:
    """Takes plain questions for a board that is kept."""

    def take(question: RawRequest) -> Awaitable[Response] | None:
        board = None if question.query else boards.at_once(question.parts[1])
        return as_kept(board, question) if board else None

    return Lane("GET", BOARD, take)


def board_routes(boards: Renderings, caught_up: CaughtUp) -> APIRouter:
    """Which numbers are to be called out."""
    router = APIRouter(prefix=PREFIX, responses=OF_MANY_ORDERS)

    @router.get(
        "/board",
        response_model=schema.Board,
        responses=NOT_MODIFIED,
        dependencies=[Depends(caught_up)],
    )
    async def board(
        request: Request, restaurant: Slug, if_none_match: IfNoneMatch = None
    ) -> Response:
        """What is being prepared, with a place in the queue and an estimate, and what is ready."""
        now = asyncio.get_running_loop().time()
        since = now if "after" in request.query_params else 0.0  # what was waited for is newer
        rendering = await boards.of(restaurant, since=since)
        return tagged(rendering.body, if_none_match)

    return router
