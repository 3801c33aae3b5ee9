"""What the routes take from paths and headers."""

from typing import Annotated

from comanda_contracts.subjects import SKU_PATTERN, SLUG_PATTERN
from fastapi import Header, Path
from pydantic import StringConstraints

from ordering.inbound.bodies import ACTOR_PATTERN

PREFIX = "/v1/restaurants/{restaurant}"

Slug = Annotated[str, Path(pattern=SLUG_PATTERN, examples=["la-piazza"])]
ItemSku = Annotated[str, Path(pattern=SKU_PATTERN, examples=["margherita"])]
Actor = Annotated[
    Annotated[str, StringConstraints(pattern=ACTOR_PATTERN)] | None,
    Header(alias="Comanda-Actor", description="who does it, for the timeline"),
]
IfMatch = Annotated[
    Annotated[str, StringConstraints(pattern=r'^"[1-9][0-9]{0,8}"$')] | None,
    Header(description="the version that the change is meant for: an answer's ETag"),
]
IdempotencyKey = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
    | None,
    Header(description="names the request: repeated, it is answered again and has no new effect"),
]
