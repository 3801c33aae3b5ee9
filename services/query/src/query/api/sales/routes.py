"""Sales over HTTP: a report of a span of time, and the top items of a day."""

import asyncio
import re
from collections.abc import Awaitable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Response
from service_kit.http.fast_lane import Lane, RawRequest

from query.api.http import needed, schema
from query.api.http.known_restaurant import known_restaurant
from query.api.http.openapi import SALES_REFUSALS
from query.api.http.parameters import NOT_MODIFIED, PREFIX, RESTAURANT_PATTERN, IfNoneMatch, Slug
from query.api.http.response_cache import ResponseCache, cached_response
from query.api.http.responses import Body, as_of_response, body_of, from_store, tagged_response
from query.api.sales.span import DayOrHour, span_of
from query.views.ports import Menus, Sales
from query.views.sales.report import By, sales_report

TOP_ITEMS_DEFAULT, TOP_ITEMS_MAX = 10, 100

TOP_ITEMS_PATH = re.compile(f"{RESTAURANT_PATTERN}/sales/top")
TOP_OF_DAY_QUERY = re.compile(r"day=([0-9]{4}-[0-9]{2}-[0-9]{2})(?:&limit=([1-9][0-9]{0,2}))?")

From = Annotated[
    DayOrHour,
    Query(
        alias="from",
        description="first business day, or first hour of UTC such as `2026-11-23T18:00Z`",
    ),
]
To = Annotated[
    DayOrHour,
    Query(
        description="last business day, which is included, or an hour of UTC, which is not",
    ),
]
Grouping = Annotated[
    By | None, Query(description="what to group by; without it only totals", examples=["item"])
]
Day = Annotated[date, Query(description="a business day", examples=["2026-11-23"])]
Limit = Annotated[int, Query(ge=1, le=TOP_ITEMS_MAX, examples=[10])]


def top_lane(tops: ResponseCache) -> Lane:
    """Answers requests for the top items of a day from the cache."""

    def take(request: RawRequest) -> Awaitable[Response] | None:
        match = TOP_OF_DAY_QUERY.fullmatch(request.query)
        if match is None:
            return None
        top = tops.get_nowait(
            _top_key(request.parts[1], match[1], int(match[2] or TOP_ITEMS_DEFAULT))
        )
        return cached_response(top, request) if top else None

    return Lane("GET", TOP_ITEMS_PATH, take, needed.SALES)


def sales_routes(sales: Sales, menus: Menus, tops: ResponseCache) -> APIRouter:
    """The routes of sales, which answer from sums that are kept ready."""
    router = APIRouter(
        prefix=PREFIX, tags=["Sales"], responses=SALES_REFUSALS, dependencies=[needed.SALES]
    )

    @router.get(
        "/sales",
        operation_id="getSales",
        response_model=schema.SalesReport,
        responses=NOT_MODIFIED,
    )
    async def report(
        restaurant: Slug,
        begin: From,
        to: To,
        by: Grouping = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Revenue, orders, average basket and waiting times of business days or hours."""
        span = span_of(restaurant, begin, to, by_hours=by is By.HOUR)
        venue = await known_restaurant(menus, restaurant)
        kept_ready = sales.hours if by is By.HOUR or span.start else sales.days
        items = by is not None and by.needs_items
        kept = await from_store(kept_ready(span, items=items))
        categories = await from_store(menus.categories(restaurant)) if items else {}
        # a thread, because three years of items are tens of milliseconds of work
        shown = await asyncio.to_thread(sales_report, kept, by, categories)
        currency = shown.pop("currency") or venue["currency"]
        bounds = "hours" if span.start else "days"
        requested = {
            "restaurant": restaurant,
            "bounds": bounds,
            "from": begin,
            "to": to,
            "by": by,
        }
        return as_of_response({**requested, "currency": currency, **shown}, if_none_match)

    @router.get(
        "/sales/top",
        operation_id="getTopItems",
        response_model=schema.TopItems,
        responses=NOT_MODIFIED,
    )
    async def top(
        restaurant: Slug,
        day: Day,
        limit: Limit = TOP_ITEMS_DEFAULT,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """The items that brought the most on one business day, the best first."""
        rendering = await tops.get(_top_key(restaurant, day.isoformat(), limit))
        return tagged_response(rendering.body, if_none_match)

    return router


def top_items_cache(sales: Sales, menus: Menus) -> ResponseCache:
    """A cache of the top items of days; `as_of` in them says how old they are."""

    async def make(key: str) -> Body:
        restaurant, day, limit = key.rsplit("/", 2)
        best = await from_store(sales.top(restaurant, day, int(limit)))
        if best is None:
            venue = await known_restaurant(menus, restaurant)
            best = {"currency": venue["currency"], "as_of": None, "items": []}
        return body_of({"restaurant": restaurant, "day": day, **best})

    return ResponseCache("top", make, is_notified=lambda: True)


def _top_key(restaurant: str, day: str, limit: int) -> str:
    """The key of the top items in their cache."""
    return f"{restaurant}/{day}/{limit}"
