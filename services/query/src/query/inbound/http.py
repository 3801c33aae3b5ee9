"""Questions about orders over HTTP."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from service_kit.problems import problem_responses

from query.inbound import schema
from query.inbound.answers import (
    answer,
    asked,
    behind,
    tagged_answer,
    unknown_order,
    unknown_restaurant,
)
from query.views.shown import is_known, shown_order, version_of
from query.views.store import Arrivals, Document, Menus, Orders

PREFIX = "/v1/restaurants/{restaurant}"
MOST_ORDERS = 500

MinVersion = Annotated[
    int | None,
    Query(ge=1, description="wait, for some seconds, until the view has this version of the order"),
]
Active = Annotated[
    bool | None, Query(description="only orders that are not closed or cancelled, or only those")
]
Limit = Annotated[int, Query(ge=1, le=MOST_ORDERS)]
IfNoneMatch = Annotated[str | None, Header(description="ETags of what the client has")]

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "The client has it already"}}


def order_routes(
    orders: Orders, menus: Menus, arrivals: Arrivals, *, min_version_wait: float
) -> APIRouter:
    """Questions about orders; `min_version_wait` bounds, in seconds, the wait for a version."""
    router = APIRouter(prefix=PREFIX, responses=problem_responses(404, 422, 503))

    @router.get(
        "/orders/{order_id}",
        response_model=schema.OrderView,
        responses=NOT_MODIFIED,
    )
    async def one_order(
        restaurant: str,
        order_id: UUID,
        min_version: MinVersion = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """One order with its tickets; pass the version you were given to read your own write."""
        look = partial(orders.one, str(order_id))
        if min_version is None:
            document = await asked(look())
        else:
            new_enough = partial(_has, version=min_version)
            waiting = arrivals.look_until(str(order_id), look, new_enough, min_version_wait)
            document = await asked(waiting)
        if document is None or document["restaurant"] != restaurant or not is_known(document):
            raise unknown_order(restaurant, order_id)
        if min_version and not _has(document, min_version):
            raise behind(version_of(document), min_version)
        return tagged_answer(shown_order(document), if_none_match)

    @router.get("/orders", response_model=schema.OrderList)
    async def newest_orders(restaurant: str, active: Active = None, limit: Limit = 100) -> Response:
        """The restaurant's orders, newest first."""
        found = await asked(orders.newest(restaurant, active=active, limit=limit))
        if not found:
            await _known_restaurant(menus, restaurant)
        return answer({"orders": [shown_order(document) for document in found]})

    @router.get("/board", response_model=schema.Board)
    async def board(restaurant: str) -> Response:
        """The numbers of the orders that are being prepared, and of those that are ready."""
        columns = await asked(orders.board(restaurant))
        if not any(columns.values()):
            await _known_restaurant(menus, restaurant)
        return answer(columns)

    return router


def menu_routes(menus: Menus) -> APIRouter:
    """Questions about what a restaurant offers."""
    router = APIRouter(prefix=PREFIX, responses=problem_responses(404, 503))

    @router.get("/menu", response_model=schema.Menu)
    async def menu(restaurant: str) -> Response:
        """The restaurant and the items on its menu, by category and name."""
        venue = await _known_restaurant(menus, restaurant)
        return answer({"restaurant": venue, "items": await asked(menus.items(restaurant))})

    return router


def _has(document: Document | None, version: int) -> bool:
    return document is not None and version_of(document) >= version


async def _known_restaurant(menus: Menus, restaurant: str) -> Document:
    venue = await asked(menus.restaurant(restaurant))
    if venue is None:
        raise unknown_restaurant(restaurant)
    return venue
