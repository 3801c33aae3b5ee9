"""Parameters of the routes, in paths and headers."""

import re
from typing import Annotated
from uuid import UUID

from comanda_contracts.access import hash_of_subject
from comanda_contracts.subjects import SKU_PATTERN, SLUG_PATTERN
from fastapi import Header, Path
from pydantic import AfterValidator, StringConstraints
from service_kit.http.header_values import HeaderText

from ordering.domain.access import EVERY_RESTAURANT
from ordering.inbound.bodies import ACTOR_PATTERN
from ordering.inbound.http.openapi import ACTOR, ITEM, KEY, ORDER_ID, RESTAURANT

PREFIX = "/v1/restaurants/{restaurant}"

Slug = Annotated[str, Path(pattern=SLUG_PATTERN, examples=[RESTAURANT.restaurant])]
SlugOrEvery = Annotated[
    str,
    Path(
        pattern=f"{SLUG_PATTERN}|^{EVERY_RESTAURANT}$",
        description=f"a restaurant, or `{EVERY_RESTAURANT}`: all of them",
        examples=[RESTAURANT.restaurant],
    ),
]
ItemSku = Annotated[str, Path(pattern=SKU_PATTERN, examples=[ITEM.sku])]
OrderId = Annotated[UUID, Path(examples=[ORDER_ID])]
HASH_PREFIX = "sha256:"
HASH_PATTERN = re.compile(r"[A-Za-z0-9_-]{43}")


def _subject_hash(named: str) -> str:
    """The hash of a subject that is named as it is, or by its hash. Raises ValueError."""
    if not named.startswith(HASH_PREFIX):
        return hash_of_subject(named)
    subject_hash = named.removeprefix(HASH_PREFIX)
    if not HASH_PATTERN.fullmatch(subject_hash):
        raise ValueError(f"is no hash, though it begins with {HASH_PREFIX}")
    return subject_hash


# decision/0048: a subject is withdrawn by its hash
AccessSubject = Annotated[
    str,
    Path(
        min_length=1,
        max_length=255,
        description="the `sub` of the tokens, percent-encoded; or `sha256:` and the SHA-256 of it "
        "in base64url without `=`, as one has to be named that has a slash in it",
        examples=["luigi@example.com"],
    ),
    AfterValidator(_subject_hash),
]
"""The hash of the subject."""
Actor = Annotated[
    Annotated[HeaderText, StringConstraints(pattern=ACTOR_PATTERN)] | None,
    Header(
        alias="Comanda-Actor",
        description="who does it, for the timeline, if it is another than the token's subject; "
        "needs the grant `act-as`",
        examples=[ACTOR],
    ),
]
IfMatch = Annotated[
    str | None,
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
