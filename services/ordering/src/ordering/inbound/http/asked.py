"""What every change comes with, beside its body."""

import hashlib
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi import Request as HttpRequest
from pydantic import BaseModel, TypeAdapter
from service_kit.http.fast_lane import RawRequest

from ordering.application.once import Request
from ordering.inbound.http.parameters import Actor, IdempotencyKey, IfMatch, Slug


@dataclass(frozen=True, slots=True)
class Asked:
    """The restaurant that is asked, by whom, and on what conditions."""

    restaurant: str
    what: str
    actor: str | None
    key: str | None
    if_match: str | None

    @property
    def expected_version(self) -> int | None:
        """The version that the change is meant for; None stands for any."""
        return int(self.if_match.strip('"')) if self.if_match else None

    def request(self, body: BaseModel | None) -> Request | None:
        """The request by its key; None if it has none."""
        if self.key is None:
            return None
        content = body.model_dump_json() if body else ""
        whole = f"{self.what}\n{self.if_match}\n{content}"
        return Request(self.restaurant, self.key, hashlib.sha256(whole.encode()).hexdigest())


async def _asked(
    restaurant: Slug,
    request: HttpRequest,
    actor: Actor = None,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Asked:
    what = f"{request.method} {request.url.path}"
    return Asked(restaurant, what, actor, idempotency_key, if_match)


def asked_plainly(restaurant: str, request: RawRequest) -> Asked:
    """The same of a request that no framework has looked at. Raises ValidationError."""
    header = request.headers.get
    return Asked(
        restaurant,
        f"POST {request.path}",
        _ACTOR.validate_python(header("comanda-actor")),
        _IDEMPOTENCY_KEY.validate_python(header("idempotency-key")),
        _IF_MATCH.validate_python(header("if-match")),
    )


_ACTOR: TypeAdapter[str | None] = TypeAdapter(Actor)
_IDEMPOTENCY_KEY: TypeAdapter[str | None] = TypeAdapter(IdempotencyKey)
_IF_MATCH: TypeAdapter[str | None] = TypeAdapter(IfMatch)

AskedToChange = Annotated[
    Asked, Depends(_asked)
]  # async: FastAPI gives plain functions to a thread
