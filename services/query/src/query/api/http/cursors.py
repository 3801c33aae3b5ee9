"""Cursors: the end of a page as a text, which only the list it came from accepts."""

import base64
import binascii
import hashlib
from typing import Annotated
from uuid import UUID

import orjson
from comanda_contracts.envelope import MAX_SAFE_INTEGER
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from service_kit.http.problems import ProblemError

from query.views.orders.list_query import ListQuery, PagePosition, SnapshotTime, at_milliseconds

UINT32 = Annotated[int, Field(ge=0, le=2**32 - 1)]


class Cursor(BaseModel):
    """A cursor, decoded. `moment` is what its JSON calls the snapshot."""

    model_config = ConfigDict(extra="forbid", strict=True)

    of: str
    """Fingerprint of its list."""
    key: Annotated[int, Field(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
    id: str
    snapshot: Annotated[tuple[UINT32, UINT32, UINT32] | None, Field(alias="moment")] = None


def encode_cursor(position: PagePosition, list_query: ListQuery) -> str:
    """The cursor of a list for the orders after this position."""
    snapshot = position.snapshot
    says = {
        "of": _fingerprint(list_query),
        "key": position.key,
        "id": position.order_id,
        "moment": snapshot and (snapshot.generation, snapshot.seconds, snapshot.increment),
    }
    return base64.urlsafe_b64encode(orjson.dumps(says)).decode().rstrip("=")


def decode_cursor(cursor: str, list_query: ListQuery) -> PagePosition:
    """The position that the cursor has in this list. Raises ProblemError (422) if it has none."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        says = Cursor.model_validate_json(base64.b64decode(padded, b"-_", validate=True))
        UUID(says.id)
        if not list_query.sort.by_total:
            at_milliseconds(says.key)
    except (binascii.Error, ValidationError, ValueError, OverflowError):
        raise _refused("This is no cursor that an answer had.") from None
    if says.of != _fingerprint(list_query) or list_query.sort.by_total is not (
        says.snapshot is not None
    ):
        raise _refused("The cursor is of a list with other filters or another order.")
    return PagePosition(says.key, says.id, SnapshotTime(*says.snapshot) if says.snapshot else None)


def _fingerprint(list_query: ListQuery) -> str:
    json = orjson.dumps(list_query, default=sorted)  # what it can't write are sets
    return hashlib.blake2b(json, digest_size=9).hexdigest()


def _refused(detail: str) -> ProblemError:
    return ProblemError(422, "invalid-request", detail, field="cursor")


def expired() -> ProblemError:
    """The store has forgotten the snapshot that the cursor goes on from."""
    detail = "The list was first asked for too long ago. Ask for it anew, without the cursor."
    return ProblemError(410, "cursor-expired", detail, field="cursor")
