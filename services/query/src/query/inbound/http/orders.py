"""Questions about one order."""

from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial
from typing import Annotated
from uuid import UUID

from comanda_contracts.subjects import Slug
from fastapi import APIRouter, Path, Response
from service_kit.problems import problem_responses

from query.inbound import schema
from query.inbound.http.answers import asked, behind, tagged_answer, unknown_order
from query.inbound.http.parameters import NOT_MODIFIED, PREFIX, IfNoneMatch, MinVersion
from query.views.shown import is_known, shown_order, shown_timeline, version_of
from query.views.store import Arrivals, Document, Lists, Orders

Look = Callable[[], Awaitable[Document | None]]

Day = Annotated[date, Path(description="the business day of its number", examples=["2026-11-23"])]
Number = Annotated[str, Path(description="what people call it", examples=["A-017"])]


def order_routes(
    orders: Orders, lists: Lists, arrivals: Arrivals, *, min_version_wait: float
) -> APIRouter:
    """Questions about one order; `min_version_wait` bounds, in seconds, the wait for a version."""
    router = APIRouter(prefix=PREFIX, responses=problem_responses(404, 422, 503) | NOT_MODIFIED)

    async def in_time(look: Look, order_id: str, min_version: int | None) -> Document | None:
        """What is seen of the order, once it has the version or the wait is over."""
        if min_version is None:
            return await asked(look())
        new_enough = partial(_has, version=min_version)
        return await asked(arrivals.look_until(order_id, look, new_enough, min_version_wait))

    async def by_id(restaurant: str, order_id: UUID, min_version: int | None) -> Document:
        document = await in_time(partial(orders.one, str(order_id)), str(order_id), min_version)
        if document is None or document["restaurant"] != restaurant or not is_known(document):
            raise unknown_order(restaurant, str(order_id))
        return _new_enough(document, min_version)

    @router.get("/orders/{order_id}", response_model=schema.OrderView)
    async def one_order(
        restaurant: Slug,
        order_id: UUID,
        min_version: MinVersion = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """One order with its tickets; pass the version you were given to read your own write."""
        document = await by_id(restaurant, order_id, min_version)
        return tagged_answer(shown_order(document), if_none_match)

    @router.get("/orders/{order_id}/timeline", response_model=schema.Timeline)
    async def timeline(
        restaurant: Slug,
        order_id: UUID,
        min_version: MinVersion = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Who did what to one order, when and why, oldest first."""
        document = await by_id(restaurant, order_id, min_version)
        happened = {"order_id": document["_id"], "timeline": shown_timeline(document)}
        return tagged_answer(happened, if_none_match)

    @router.get("/orders/by-number/{business_day}/{number}", response_model=schema.OrderView)
    async def numbered_order(
        restaurant: Slug,
        business_day: Day,
        number: Number,
        min_version: MinVersion = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """The order that people call by this number, which is given anew every business day."""
        look = partial(lists.numbered, restaurant, business_day.isoformat(), number)
        document = await asked(look())
        if min_version and not _has(document, min_version):
            order_id = document["_id"] if document else ""  # of what has no id there is no news
            document = await in_time(look, order_id, min_version)
        if document is None:
            raise unknown_order(restaurant, f"{number} of {business_day}")
        return tagged_answer(shown_order(_new_enough(document, min_version)), if_none_match)

    return router


def _has(document: Document | None, version: int) -> bool:
    return document is not None and version_of(document) >= version


def _new_enough(document: Document, min_version: int | None) -> Document:
    if min_version and not _has(document, min_version):
        raise behind(version_of(document), min_version)
    return document
