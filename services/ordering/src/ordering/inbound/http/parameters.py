"""Parameters of the routes, in paths and headers."""

from typing import Annotated
from uuid import UUID

from comanda_contracts.subjects import SKU_PATTERN, SLUG_PATTERN
from fastapi import Header, Path
from pydantic import StringConstraints
from service_kit.http.header_values import IF_MATCH_PATTERN, HeaderText

from ordering.inbound.bodies import ACTOR_PATTERN
from ordering.inbound.http.openapi import ACTOR, ITEM, KEY, ORDER_ID, RESTAURANT

PREFIX = "/v1/restaurants/{restaurant}"

Slug = Annotated[str, Path(pattern=SLUG_PATTERN, examples=[RESTAURANT.restaurant])]
ItemSku = Annotated[str, Path(pattern=SKU_PATTERN, examples=[ITEM.sku])]
OrderId = Annotated[UUID, Path(examples=[ORDER_ID])]
Actor = Annotated[
    Annotated[HeaderText, StringConstraints(pattern=ACTOR_PATTERN)] | None,
    Header(alias="Comanda-Actor", description="who does it, for the timeline", examples=[ACTOR]),
]
IfMatch = Annotated[
    Annotated[str, StringConstraints(pattern=IF_MATCH_PATTERN)] | None,
    Header(
        description="the version that the change is meant for: an answer's ETag, or several; `*` "
        "stands for whatever there is",
        examples=['"1"'],
    ),
]
IdempotencyKey = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
    | None,
    Header(
        description="names the request: once carried out, it is answered like the first time for a "
        "day; one that was refused is decided anew",
        examples=[KEY],
    ),
]
