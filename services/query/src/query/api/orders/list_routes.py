"""Lists of a restaurant's orders, page by page, and its tables."""

# decision/0073: a list has whole orders

import contextlib
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from service_kit.http.fast_lane import Lane, RawRequest
from service_kit.http.response_headers import sent_with

from query.api.http import needed, schema
from query.api.http.cursors import decode_cursor, encode_cursor, expired
from query.api.http.known_restaurant import known_restaurant
from query.api.http.openapi import PAGE_REFUSALS, SEVERAL_ORDERS_REFUSALS
from query.api.http.parameters import NOT_MODIFIED, PREFIX, RESTAURANT_PATTERN, IfNoneMatch, Slug
from query.api.http.read_your_writes import ReadYourWrites
from query.api.http.response_cache import ResponseCache
from query.api.http.responses import (
    Body,
    are_presentable,
    body_of,
    count_damaged,
    from_store,
    json_response,
    tagged_response,
)
from query.api.orders.filters import Filters
from query.views.merge import MALFORMED
from query.views.orders.tables import occupied_tables
from query.views.ports import Lists, Menus, PageExpired

LIST_PATH = re.compile(f"{RESTAURANT_PATTERN}/orders")

PAGE_RESPONSES: dict[int | str, dict[str, Any]] = {200: sent_with("Link")}


class OrderListReader:
    """Answers with pages of lists of orders."""

    def __init__(self, lists: Lists, menus: Menus) -> None:
        self._lists = lists
        self._menus = menus

    async def __call__(self, restaurant: str, filters: Filters, query: str) -> Response:
        """The page that the filters ask for; `query` is their text, for the link to the next."""
        list_query = filters.list_query(restaurant)
        start = decode_cursor(filters.cursor, list_query) if filters.cursor else None
        try:
            page = await from_store(
                self._lists.page(list_query, start, filters.limit, only_current=bool(filters.after))
            )
        except PageExpired:
            raise expired() from None
        if not page.orders and not page.left_out:
            await known_restaurant(self._menus, restaurant)
        cursor = encode_cursor(page.end, list_query) if page.end else None
        listed: dict[str, Any] = {
            "orders": [orjson.Fragment(each) for each in page.orders],
            "next": cursor,
        }
        if page.left_out:
            listed["left_out"] = page.left_out
        return json_response(
            listed,
            headers=_link(query, cursor) if cursor else {},
        )


def list_lane(listed: OrderListReader) -> Lane:
    """Answers requests that give each filter once and don't wait for a write (`after`)."""

    def take(request: RawRequest) -> Awaitable[Response] | None:
        try:
            given = parse_qsl(request.query, keep_blank_values=True)
            filters = Filters.model_validate(dict(given))
        except ValueError:
            return None
        if len(given) > len(filters.model_fields_set) or filters.after:
            return None
        return listed(request.parts[1], filters, request.query)

    return Lane("GET", LIST_PATH, take, needed.ORDERS)


def list_routes(
    listed: OrderListReader, lists: Lists, menus: Menus, read_your_writes: ReadYourWrites
) -> APIRouter:
    """The routes of lists and of tables."""
    router = APIRouter(
        prefix=PREFIX,
        dependencies=[needed.ORDERS, Depends(read_your_writes)],
    )

    @router.get(
        "/orders",
        operation_id="listOrders",
        tags=["Orders"],
        response_model=schema.OrderList,
        responses=PAGE_RESPONSES | PAGE_REFUSALS,
    )
    async def list_orders(
        request: Request, restaurant: Slug, filters: Annotated[Filters, Query()]
    ) -> Response:
        """The restaurant's orders, page by page: `next` is the cursor of the page after.

        An order that is in the list all the while is on exactly one page, whatever comes and
        changes meanwhile. One whose answer to the filters changes is there if it was when its
        page was read. A list by total is shown as it was when its first page was read, and can be
        read on for some minutes; then its cursors are refused with 410.
        """
        return await listed(restaurant, filters, request.url.query)

    @router.get(
        "/tables",
        operation_id="listTables",
        tags=["Restaurants"],
        response_model=schema.TableList,
        responses=SEVERAL_ORDERS_REFUSALS | NOT_MODIFIED,
    )
    async def list_tables(
        request: Request, restaurant: Slug, if_none_match: IfNoneMatch = None
    ) -> Response:
        """The tables at which guests sit: since when, for how much, and what they wait for."""
        has_waited = "after" in request.query_params
        body = await _tables(lists, menus, restaurant, only_current=has_waited)
        return tagged_response(body, if_none_match)

    return router


def table_cache(lists: Lists, menus: Menus, is_notified: Callable[[], bool]) -> ResponseCache:
    """A cache, for feeds, of tables by restaurant; `is_notified` as of any `ResponseCache`."""
    make = partial(_tables, lists, menus, only_current=True)
    return ResponseCache("tables", make, is_notified)


async def _tables(lists: Lists, menus: Menus, restaurant: str, *, only_current: bool) -> Body:
    """The tables as they are. Raises ProblemError."""
    seated = await from_store(lists.seated(restaurant, only_current=only_current))
    if not seated:
        await known_restaurant(menus, restaurant, only_current=only_current)
    with contextlib.suppress(*MALFORMED):
        return body_of({"tables": occupied_tables(seated)})
    sound = [each for each in seated if are_presentable(partial(occupied_tables, [each]))]
    left_out = [each["_id"] for each in seated if each not in sound]
    count_damaged(left_out, "among the tables")
    return body_of({"tables": occupied_tables(sound), "left_out": left_out})


def _link(query: str, cursor: str) -> dict[str, str]:
    """The next page by RFC 8288, relative to this one."""
    kept = [each for each in parse_qsl(query, keep_blank_values=True) if each[0] != "cursor"]
    after = urlencode([*kept, ("cursor", cursor)])
    return {"Link": f'<?{after}>; rel="next"'}
