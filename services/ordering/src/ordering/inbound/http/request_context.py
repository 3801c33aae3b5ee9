"""The context of every request that changes something: its restaurant, actor, key and condition."""

import hashlib
from collections.abc import Collection, Set
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel, TypeAdapter
from service_kit.access.needs import Unguarded, needed_roles, principal_of
from service_kit.access.roles import Role
from service_kit.http.fast_lane import RawRequest
from service_kit.http.header_values import versions_in, whole_header

from ordering.application.keyed_request import KeyedRequest
from ordering.domain.events import Sender
from ordering.inbound.http.parameters import Actor, IdempotencyKey, IfMatch, Slug, SlugOrEvery
from ordering.inbound.principals import sender_of


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The path and headers of a request; `operation` is its method and path."""

    restaurant: str
    operation: str
    actor: str
    key_space: str
    """Apart from others' keys are those of the subject who sends it."""
    idempotency_key: str | None
    if_match: str | None
    by: Sender | None = None

    @property
    def expected_version(self) -> int | Collection[int] | None:
        """The version, or versions, that the change is meant for; None stands for any."""
        return versions_in(self.if_match)

    def keyed_request(self, body: BaseModel | None) -> KeyedRequest | None:
        """The request by its key; None if it has none.

        Its fingerprint is of what was sent: a field that a later release adds does not change it.
        """
        if self.idempotency_key is None:
            return None
        content = body.model_dump_json(exclude_unset=True) if body else ""
        whole = f"{self.operation}\n{self.if_match}\n{content}"
        fingerprint = hashlib.sha256(whole.encode()).hexdigest()
        key = f"{self.key_space} http/{self.idempotency_key}"  # no message's: `command_message.py`
        return KeyedRequest(self.restaurant, key, fingerprint)


async def _context(
    restaurant: Slug,
    request: Request,
    actor: Actor = None,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> RequestContext:
    principal = principal_of(request)
    return RequestContext(
        restaurant,
        f"{request.method} {request.url.path}",
        principal.actor(restaurant, actor),
        principal.key_space,
        idempotency_key,
        if_match and whole_header(request.headers, "if-match"),
        sender_of(principal, restaurant, needed_roles(request)),
    )


async def _placement_context(
    restaurant: Slug,
    request: Request,
    actor: Actor = None,
    idempotency_key: IdempotencyKey = None,
) -> RequestContext:
    return await _context(restaurant, request, actor, idempotency_key)


async def _access_context(
    restaurant: SlugOrEvery,
    request: Request,
    actor: Actor = None,
    idempotency_key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> RequestContext:
    return await _context(restaurant, request, actor, idempotency_key, if_match)


def context_of(restaurant: str, request: RawRequest, roles: Set[Role]) -> RequestContext:
    """The context of a placement that no framework has looked at, by a lane that needs these roles.

    Raises ValidationError, Forbidden, Unguarded.
    """
    header, principal = request.headers.get, request.principal
    if principal is None:
        raise Unguarded
    return RequestContext(
        restaurant,
        f"POST {request.path}",
        principal.actor(restaurant, _ACTOR.validate_python(header("comanda-actor"))),
        principal.key_space,
        _IDEMPOTENCY_KEY.validate_python(header("idempotency-key")),
        if_match=None,
        by=sender_of(principal, restaurant, roles),
    )


_ACTOR: TypeAdapter[str | None] = TypeAdapter(Actor)
_IDEMPOTENCY_KEY: TypeAdapter[str | None] = TypeAdapter(IdempotencyKey)

Context = Annotated[
    RequestContext, Depends(_context)
]  # async: FastAPI gives plain functions to a thread
PlacementContext = Annotated[RequestContext, Depends(_placement_context)]
"""Of an order that is not there yet: there is no version that it could be meant for."""
AccessContext = Annotated[RequestContext, Depends(_access_context)]
"""Of a request that may be about all restaurants."""
