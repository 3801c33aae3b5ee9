"""How long one order has still to wait, over HTTP: its guest may ask."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from query.api.http import needed, schema
from query.api.http.guests import is_asked_by_guest
from query.api.http.openapi import ORDER_REFUSALS
from query.api.http.parameters import NOT_MODIFIED, PREFIX, IfNoneMatch, OrderId, Slug
from query.api.http.response_cache import ResponseCache
from query.api.http.responses import as_json, body_of_json, tagged_response
from query.api.orders.routes import OrderReader
from query.views.board.wait import wait_for

BOARDS_READ_MAX = 64
"""Boards of which the orders are kept by their ids: many guests of one restaurant wait."""


def wait_routes(order: OrderReader, boards: ResponseCache) -> APIRouter:
    """The route of the wait, which is read from the restaurant's board."""
    router = APIRouter(prefix=PREFIX, tags=["Orders"], responses=ORDER_REFUSALS | NOT_MODIFIED)

    @router.get(
        "/orders/{order_id}/wait",
        operation_id="getOrderWait",
        response_model=schema.OrderWait,
        dependencies=[needed.OWN_ORDER],
    )
    async def wait(
        request: Request, restaurant: Slug, order_id: OrderId, if_none_match: IfNoneMatch = None
    ) -> Response:
        """The order's place in the kitchen's queue, and between when it will be ready.

        Nothing is told of other orders.
        """
        wanted = str(order_id)
        is_guest = is_asked_by_guest(request, restaurant, wanted)
        await order.by_id(restaurant, wanted, None, is_guest=is_guest)
        board = await boards.get(restaurant)
        return tagged_response(body_of_json(wait_as_json(wanted, board.body.json)), if_none_match)

    return router


def wait_as_json(order_id: str, board: bytes) -> bytes:
    """The JSON of an order's wait, by that of its restaurant's board."""
    return as_json(wait_for(order_id, _preparing(board).get(order_id), datetime.now(UTC)))


@lru_cache(maxsize=BOARDS_READ_MAX)
def _preparing(board: bytes) -> Mapping[str, Any]:
    """What a board has `preparing`, by order."""
    return {each["order_id"]: each for each in orjson.loads(board)["preparing"]}
