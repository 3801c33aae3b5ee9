"""Cursors: where the page before ended, as a text that is of no other list's use."""

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
    """What a cursor says, once it is decoded."""

    model_config = ConfigDict(extra="forbid", strict=True)

    of: str
    """Fingerprint of the list that it is of."""
    key: Annotated[int, Field(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
    id: str
    moment: tuple[UINT32, UINT32, UINT32] | None = None


def encode_cursor(place: PagePosition, listing: ListQuery) -> str:
    """The cursor for what comes after the place."""
    moment = place.moment
    says = {
        "of": _fingerprint(listing),
        "key": place.key,
        "id": place.order_id,
        "moment": moment and (moment.generation, moment.seconds, moment.increment),
    }
    return base64.urlsafe_b64encode(orjson.dumps(says)).decode().rstrip("=")


def decode_cursor(cursor: str, listing: ListQuery) -> PagePosition:
    """Where the list goes on; refused with 422 if the cursor is not one of this list."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        says = Cursor.model_validate_json(base64.b64decode(padded, b"-_", validate=True))
        UUID(says.id)
        if not listing.sort.by_total:
            at_milliseconds(says.key)
    except (binascii.Error, ValidationError, ValueError, OverflowError):
        raise _refused("This is no cursor that an answer had.") from None
    if says.of != _fingerprint(listing) or listing.sort.by_total is not (says.moment is not None):
        raise _refused("The cursor is of a list with other filters or another order.")
    return PagePosition(says.key, says.id, SnapshotTime(*says.moment) if says.moment else None)


def _fingerprint(listing: ListQuery) -> str:
    of = orjson.dumps(listing, default=sorted)  # what it can't write are sets
    return hashlib.blake2b(of, digest_size=9).hexdigest()


def _refused(detail: str) -> ProblemError:
    return ProblemError(422, "invalid-request", f"cursor: {detail}", field="cursor")


def expired() -> ProblemError:
    """The state of the store that the cursor goes on from is not kept any more."""
    detail = "The list was first asked for too long ago. Ask for it anew, without the cursor."
    return ProblemError(410, "cursor-expired", detail, field="cursor")
