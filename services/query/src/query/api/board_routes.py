"""The board that guests see, over HTTP."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from functools import partial

from fastapi import APIRouter, Depends, Request, Response
from service_kit.http.fast_lane import Lane, RawRequest

from query.api.http import needed, schema
from query.api.http.known_restaurant import known_restaurant
from query.api.http.openapi import SEVERAL_ORDERS_REFUSALS
from query.api.http.parameters import NOT_MODIFIED, PREFIX, RESTAURANT_PATTERN, IfNoneMatch, Slug
from query.api.http.read_your_writes import ReadYourWrites
from query.api.http.response_cache import ResponseCache, cached_response
from query.api.http.responses import (
    Body,
    are_presentable,
    body_of,
    count_damaged,
    from_store,
    store_unavailable,
    tagged_response,
)
from query.views.board.view import Board
from query.views.merge import MALFORMED
from query.views.ports import Menus, Orders

BOARD_PATH = re.compile(f"{RESTAURANT_PATTERN}/board")


def board_cache(orders: Orders, menus: Menus, is_notified: Callable[[], bool]) -> ResponseCache:
    """A cache of boards by restaurant; `is_notified` says whether it is told of their changes."""

    async def make(restaurant: str) -> Body:
        columns, is_current = await from_store(orders.board(restaurant))
        if not any(columns.values()):
            await known_restaurant(menus, restaurant)
        if "left_out" not in columns:
            with contextlib.suppress(*MALFORMED):
                return body_of(columns, is_current=is_current)
        columns = _without_odd(columns)
        count_damaged(columns["left_out"], "on the board")
        return body_of(columns, is_current=is_current)

    return ResponseCache("board", make, is_notified)


def _without_odd(columns: Board) -> Board:
    """The board without what can't be written as JSON; their ids are in `left_out`, too."""
    shown = [*columns["preparing"], *columns["ready"]]
    odd = [each["order_id"] for each in shown if not are_presentable(partial(dict, each))]
    return {
        **{
            name: [each for each in columns[name] if each["order_id"] not in odd]
            for name in ("preparing", "ready")
        },
        "left_out": [*columns.get("left_out", ()), *odd],
    }


def board_lane(boards: ResponseCache) -> Lane:
    """Answers requests without parameters from the cache."""

    def take(request: RawRequest) -> Awaitable[Response] | None:
        board = None if request.query else boards.get_nowait(request.parts[1])
        return cached_response(board, request) if board else None

    return Lane("GET", BOARD_PATH, take, needed.BOARD)


def board_routes(boards: ResponseCache, read_your_writes: ReadYourWrites) -> APIRouter:
    """The route of the board."""
    router = APIRouter(prefix=PREFIX, tags=["Restaurants"])

    @router.get(
        "/board",
        operation_id="getBoard",
        response_model=schema.Board,
        responses=SEVERAL_ORDERS_REFUSALS | NOT_MODIFIED,
        dependencies=[needed.BOARD, Depends(read_your_writes)],
    )
    async def board(
        request: Request, restaurant: Slug, if_none_match: IfNoneMatch = None
    ) -> Response:
        """What is being prepared, with a place in the queue and an estimate, and what is ready."""
        has_waited = "after" in request.query_params
        now = asyncio.get_running_loop().time()  # the view has caught up by now
        rendering = await boards.get(restaurant, not_before=now if has_waited else 0.0)
        if has_waited and not rendering.body.is_current:
            raise store_unavailable()
        return tagged_response(rendering.body, if_none_match)

    return router
