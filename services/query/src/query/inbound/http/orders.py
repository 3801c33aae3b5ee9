"""Questions about one order."""

from functools import partial
from uuid import UUID

from fastapi import APIRouter, Response
from service_kit.problems import problem_responses

from query.inbound import schema
from query.inbound.http.answers import asked, behind, tagged_answer, unknown_order
from query.inbound.http.parameters import NOT_MODIFIED, PREFIX, IfNoneMatch, MinVersion
from query.views.shown import is_known, shown_order, version_of
from query.views.store import Arrivals, Document, Orders


def order_routes(orders: Orders, arrivals: Arrivals, *, min_version_wait: float) -> APIRouter:
    """Questions about one order; `min_version_wait` bounds, in seconds, the wait for a version."""
    router = APIRouter(prefix=PREFIX, responses=problem_responses(404, 422, 503))

    @router.get("/orders/{order_id}", response_model=schema.OrderView, responses=NOT_MODIFIED)
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

    return router


def _has(document: Document | None, version: int) -> bool:
    return document is not None and version_of(document) >= version
