"""The restaurants that somebody may ask about, over HTTP."""

import base64
import binascii
import re
from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from comanda_contracts.subjects import SLUG_PATTERN
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from service_kit.access.needs import reach_of
from service_kit.http.problems import ProblemError

from query.api.http import needed, schema
from query.api.http.openapi import RESTAURANT_LIST_REFUSALS
from query.api.http.parameters import NOT_MODIFIED, IfNoneMatch
from query.api.http.responses import body_of, from_store, tagged_response
from query.views.ports import Menus

RESTAURANTS_PATH = "/v1/restaurants"
PAGE_RESTAURANTS_MAX = 500
SLUG = re.compile(SLUG_PATTERN)


class Paging(BaseModel):
    """The parameters of the list; one that is none of them is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[
        int,
        Field(
            ge=1,
            le=PAGE_RESTAURANTS_MAX,
            description="restaurants of a page at most; it may have fewer, and `next` all the same",
            examples=[20],
        ),
    ] = 100
    cursor: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="`next` of the page before",
            examples=["bGEtcGlhenph"],
        ),
    ] = None


def restaurant_routes(menus: Menus) -> APIRouter:
    """The route of the list."""
    router = APIRouter(
        tags=["Restaurants"],
        responses=RESTAURANT_LIST_REFUSALS | NOT_MODIFIED,
        dependencies=[needed.ANY_ROLE],
    )

    @router.get(
        RESTAURANTS_PATH, operation_id="listRestaurants", response_model=schema.RestaurantList
    )
    async def list_restaurants(
        request: Request, paging: Annotated[Paging, Query()], if_none_match: IfNoneMatch = None
    ) -> Response:
        """The restaurants in which the token grants any role, by slug.

        With a role in every one (`*`) those are all restaurants that are known here.
        """
        reach = reach_of(request)
        after = _slug(paging.cursor) if paging.cursor else ""
        named = None if reach.is_everywhere else reach.named
        found = await from_store(menus.restaurants(named, after, paging.limit + 1))
        page, is_last = found[: paging.limit], len(found) <= paging.limit
        cursor = None if is_last else _cursor(page[-1]["restaurant"])
        shown = [each for each in page if reach.has(each["restaurant"])]
        response = tagged_response(body_of({"restaurants": shown, "next": cursor}), if_none_match)
        if cursor:
            response.headers["Link"] = _link(request.url.query, cursor)
        return response

    return router


def _cursor(slug: str) -> str:
    return base64.urlsafe_b64encode(slug.encode()).decode().rstrip("=")


def _slug(cursor: str) -> str:
    """The last restaurant of the page before. Raises ProblemError (422) if it is no cursor."""
    try:
        slug = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        slug = ""
    if not SLUG.fullmatch(slug):
        detail = "cursor: This is no cursor that an answer had."
        raise ProblemError(422, "invalid-request", detail, field="cursor")
    return slug


def _link(query: str, cursor: str) -> str:
    """The next page by RFC 8288, relative to this one."""
    kept = [each for each in parse_qsl(query, keep_blank_values=True) if each[0] != "cursor"]
    return f'<?{urlencode([*kept, ("cursor", cursor)])}>; rel="next"'
