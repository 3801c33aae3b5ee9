"""One order over HTTP: by its id or its number, and its timeline."""

import re
from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from service_kit.access.needs import PRINCIPAL
from service_kit.access.principal import Principal
from service_kit.http.fast_lane import Lane, RawRequest

from query.api.http import needed, schema
from query.api.http.guests import is_guest_of
from query.api.http.openapi import ORDER_REFUSALS
from query.api.http.parameters import (
    NOT_MODIFIED,
    PREFIX,
    RESTAURANT_PATTERN,
    IfNoneMatch,
    MinVersion,
    OrderId,
    Slug,
)
from query.api.http.responses import (
    behind,
    from_store,
    order_as_json,
    order_for_guest_as_json,
    order_response,
    timeline_as_json,
    unknown_order,
)
from query.views.merge import Document
from query.views.orders.presentation import is_known, version_of
from query.views.ports import Lists, Orders, VersionWaiter, guests_of

Read = Callable[[], Awaitable[Document | None]]

ORDER_PATH = re.compile(
    f"{RESTAURANT_PATTERN}/orders/([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})"
)
MIN_VERSION_QUERY = re.compile(r"(?:min_version=([1-9][0-9]{0,15}))?")

Day = Annotated[date, Path(description="the business day of its number", examples=["2026-11-23"])]
Number = Annotated[str, Path(description="what people call it", examples=["A-017"])]


class OrderReader:
    """Reads one order, once it has the version that is asked for or the wait is over."""

    def __init__(self, orders: Orders, waiter: VersionWaiter, *, timeout_s: float) -> None:
        """`timeout_s` bounds the wait for a version."""
        self._orders = orders
        self._waiter = waiter
        self._timeout_s = timeout_s

    async def read_in_time(
        self, read: Read, payer: str, order_id: str, min_version: int | None
    ) -> Document | None:
        """The order as it was read last: it may be behind, or None. `payer` as of the waiter."""
        if min_version is None:
            return await from_store(read())
        is_enough = partial(_has, version=min_version)
        wait = self._waiter.read_until(payer, order_id, read, is_enough, self._timeout_s)
        return await from_store(wait)

    async def by_id(
        self, restaurant: str, order_id: str, min_version: int | None, *, is_guest: bool = False
    ) -> Document:
        """The order. Raises ProblemError: 404 if it is unknown, 503 if it is behind `min_version`.

        Whoever asks for a version knows that the order exists: an unknown one is then behind.
        """
        payer = guests_of(restaurant) if is_guest else restaurant
        read = partial(self._orders.one, order_id)
        document = await self.read_in_time(read, payer, order_id, min_version)
        if document and document.get("restaurant") != restaurant:
            raise unknown_order(restaurant, order_id)
        _require(document, min_version)
        if document is None or not is_known(document):
            raise unknown_order(restaurant, order_id)
        return document

    async def response(
        self,
        restaurant: str,
        order_id: str,
        min_version: int | None,
        if_none_match: str | None,
        principal: Principal | None,
    ) -> Response:
        """The response with the order view, or with what a guest sees of it."""
        is_guest = is_guest_of(principal, restaurant, order_id)
        document = await self.by_id(restaurant, order_id, min_version, is_guest=is_guest)
        render = order_for_guest_as_json if is_guest else order_as_json
        return order_response(document, if_none_match, render)


def order_lane(order: OrderReader) -> Lane:
    """Answers requests for an order by its id."""

    def take(request: RawRequest) -> Awaitable[Response] | None:
        match = MIN_VERSION_QUERY.fullmatch(request.query)
        if match is None:
            return None
        restaurant, order_id = request.parts.groups()
        min_version = int(match[1]) if match[1] else None
        return order.response(
            restaurant,
            order_id,
            min_version,
            request.headers.get("if-none-match"),
            request.principal,
        )

    return Lane("GET", ORDER_PATH, take, needed.OWN_ORDER)


def order_routes(order: OrderReader, lists: Lists) -> APIRouter:
    """The routes of one order."""
    router = APIRouter(prefix=PREFIX, tags=["Orders"], responses=ORDER_REFUSALS | NOT_MODIFIED)

    @router.get(
        "/orders/{order_id}",
        operation_id="getOrder",
        response_model=schema.OrderView,
        dependencies=[needed.OWN_ORDER],
    )
    async def one_order(
        request: Request,
        restaurant: Slug,
        order_id: OrderId,
        min_version: MinVersion = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """One order with its tickets; pass the version you were given to read your own write."""
        principal = getattr(request.state, PRINCIPAL, None)
        return await order.response(
            restaurant, str(order_id), min_version, if_none_match, principal
        )

    @router.get(
        "/orders/{order_id}/timeline",
        operation_id="getOrderTimeline",
        response_model=schema.Timeline,
        dependencies=[needed.ORDERS],
    )
    async def timeline(
        restaurant: Slug,
        order_id: OrderId,
        min_version: MinVersion = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Who did what to one order, when and why, oldest first."""
        document = await order.by_id(restaurant, str(order_id), min_version)
        return order_response(document, if_none_match, timeline_as_json)

    @router.get(
        "/orders/by-number/{business_day}/{number}",
        operation_id="getOrderByNumber",
        response_model=schema.OrderView,
        dependencies=[needed.ORDERS],
    )
    async def numbered_order(
        restaurant: Slug,
        business_day: Day,
        number: Number,
        min_version: MinVersion = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """The order that people call by this number, which is given anew every business day."""
        read = partial(lists.numbered, restaurant, business_day.isoformat(), number)
        document = await from_store(read())
        if min_version and not _has(document, min_version):
            order_id = (
                document["_id"] if document else ""
            )  # without an id nothing wakes it: it polls
            document = await order.read_in_time(read, restaurant, order_id, min_version)
        _require(document, min_version)
        if document is None:
            raise unknown_order(restaurant, f"{number} of {business_day}")
        return order_response(document, if_none_match)

    return router


def _has(document: Document | None, version: int) -> bool:
    return document is not None and version_of(document) >= version


def _require(document: Document | None, min_version: int | None) -> None:
    if min_version and not _has(document, min_version):
        raise behind(version_of(document) if document else 0, min_version)
