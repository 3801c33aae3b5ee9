"""The sales of a chain over HTTP: of all restaurants in which somebody may read them."""

from datetime import date
from typing import Annotated

from comanda_contracts import subjects
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from service_kit.access.needs import reach_of
from service_kit.access.principal import Reach
from service_kit.http.problems import ProblemError

from query.api.http import needed, schema
from query.api.http.openapi import CHAIN_REFUSALS
from query.api.http.parameters import NOT_MODIFIED, IfNoneMatch
from query.api.http.responses import (
    as_of_response,
    forbidden_restaurant,
    from_store,
    unknown_restaurant,
)
from query.views.merge import Document
from query.views.ports import Menus, Sales
from query.views.sales.chain import chain_report

CHAIN_RESTAURANTS_MAX = 500
"""Restaurants whose sales are summed up for one answer."""
CHAIN_DAYS_MAX = 366


class ChainSpan(BaseModel):
    """The parameters; one that is none of them is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")

    begin: Annotated[
        date, Field(alias="from", description="first business day", examples=["2026-11-23"])
    ]
    to: Annotated[
        date, Field(description="last business day, which is included", examples=["2026-11-23"])
    ]
    restaurant: Annotated[
        list[subjects.Slug],
        Field(
            max_length=CHAIN_RESTAURANTS_MAX,
            description="only this one, may be repeated; else all in which the token lets sales "
            "be read",
            examples=[["la-piazza"]],
        ),
    ] = []


def chain_routes(sales: Sales, menus: Menus) -> APIRouter:
    """The route of a chain's sales."""
    router = APIRouter(
        tags=["Sales"],
        responses=CHAIN_REFUSALS | NOT_MODIFIED,
        dependencies=[needed.CHAIN_SALES],
    )

    @router.get("/v1/sales", operation_id="getChainSales", response_model=schema.ChainSales)
    async def chain(
        request: Request, span: Annotated[ChainSpan, Query()], if_none_match: IfNoneMatch = None
    ) -> Response:
        """Revenue and orders of several restaurants, each by itself and summed by currency.

        A business day is each restaurant's own.
        """
        if not 0 < (span.to - span.begin).days + 1 <= CHAIN_DAYS_MAX:
            detail = f"`to` must not be before `from`; ask for at most {CHAIN_DAYS_MAX} days."
            raise ProblemError(422, "invalid-request", detail, field="to")
        reach = reach_of(request)
        venues = await _venues(menus, reach, span.restaurant)
        first, last = span.begin.isoformat(), span.to.isoformat()
        asked = sales.chain(sorted(venues), first, last, subject=reach.principal.subject)
        found = await from_store(asked)
        shown = {"from": span.begin, "to": span.to, "as_of": found.as_of}
        currencies = chain_report(found.sold, venues)
        return as_of_response({**shown, "currencies": currencies}, if_none_match)

    return router


async def _venues(menus: Menus, reach: Reach, wanted: list[str]) -> dict[str, Document]:
    """The restaurants to sum up. Raises ProblemError: 403, 404 and 422."""
    for each in wanted:
        if not reach.has(each):
            raise forbidden_restaurant(each)
    named = sorted(set(wanted)) or (None if reach.is_everywhere else reach.named)
    found = await from_store(menus.restaurants(named, "", CHAIN_RESTAURANTS_MAX + 1))
    venues = {each["restaurant"]: each for each in found}
    for each in wanted:
        if each not in venues:
            raise unknown_restaurant(each)
    if len(venues) > CHAIN_RESTAURANTS_MAX:
        detail = f"There are more than {CHAIN_RESTAURANTS_MAX} restaurants: name those to sum up."
        raise ProblemError(422, "invalid-request", detail, field="restaurant")
    return {slug: each for slug, each in venues.items() if reach.has(slug)}
