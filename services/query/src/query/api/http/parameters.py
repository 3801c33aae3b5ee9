"""Parameters that routes share."""

from typing import Annotated, Any
from uuid import UUID

from comanda_contracts import subjects
from comanda_contracts.subjects import SLUG_PATTERN
from fastapi import Header, Path, Query
from service_kit.http.response_headers import sent_with

from query.api.http.openapi import ORDER_ID, RESTAURANT, TAG

PREFIX = "/v1/restaurants/{restaurant}"
"""The beginning of every path."""

RESTAURANT_PATTERN = PREFIX.format(restaurant=f"({SLUG_PATTERN[1:-1]})")
"""A regular expression for it, with the restaurant as its group."""

Slug = Annotated[subjects.Slug, Path(description="the restaurant", examples=[RESTAURANT])]
OrderId = Annotated[UUID, Path(description="as in its events", examples=[ORDER_ID])]
MinVersion = Annotated[
    int | None,
    Query(
        ge=1,
        description="wait, for some seconds, until the view has this version of the order",
        examples=[2],
    ),
]
IfNoneMatch = Annotated[
    str | None, Header(description="ETags of what the client has", examples=[TAG])
]

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    200: sent_with("ETag"),
    304: {"description": "The client has it already"} | sent_with("ETag"),
}
"""The OpenAPI responses of a route that takes `If-None-Match`."""
