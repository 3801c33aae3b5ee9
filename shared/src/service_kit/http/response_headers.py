"""The headers that answers may have, as an OpenAPI document's components describe them."""

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

TEXT, SECONDS = {"type": "string"}, {"type": "integer", "minimum": 0}

HEADERS: dict[str, Json] = {
    "Age": {
        "description": "How many seconds ago the views were up to date.",
        "schema": SECONDS,
    },
    "Comanda-Guest-Token": {
        "description": "The capability of the order's guest, for a day: the bearer's token with "
        "which query shows him this order, and no other.",
        "schema": TEXT,
    },
    "Deprecation": {
        "description": "Since when what was asked, or a field of it, is deprecated: `@` and "
        "seconds since 1970 (RFC 9745).",
        "schema": TEXT,
    },
    "ETag": {
        "description": "The version of what is answered; `If-Match` and `If-None-Match` take it.",
        "schema": TEXT,
    },
    "Idempotent-Replayed": {
        "description": "`true` where a request with the same `Idempotency-Key` was carried out "
        "before, and its answer is repeated.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Link": {"description": 'The next page (`rel="next"`, RFC 8288).', "schema": TEXT},
    "Location": {"description": "The path of what was made.", "schema": TEXT},
    "Request-Id": {
        "description": "The request's id: the client's own, or one that was made.",
        "schema": TEXT,
    },
    "Retry-After": {"description": "After how many seconds to ask again.", "schema": SECONDS},
    "Sunset": {
        "description": "From when on what is deprecated may be gone (RFC 8594).",
        "schema": TEXT,
    },
    "WWW-Authenticate": {"description": "What was wrong with the token.", "schema": TEXT},
}
OF_ANY = "Request-Id"
"""Every answer has it."""


def referred(names: Iterable[str]) -> Json:
    """References to the headers among these that are described."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names if name in HEADERS}


def sent_with(*names: str) -> Json:
    """The part of an OpenAPI response that says which headers it may have."""
    return {"headers": referred(names)}
