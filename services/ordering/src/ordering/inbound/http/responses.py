"""Responses of HTTP: the state after a change, or the problem that kept it from happening."""

import contextlib
from collections.abc import Iterator

from fastapi import Response
from pydantic import BaseModel

from ordering.application.transaction import StoreUnavailable
from ordering.domain.refusals import Refusal
from ordering.inbound.change import Change, Store, carry_out
from ordering.inbound.http.request_context import RequestContext
from ordering.inbound.refusals import store_unavailable, to_problem


async def respond(
    store: Store,
    context: RequestContext,
    body: BaseModel | None,
    change: Change,
    *,
    status: int = 200,
) -> Response:
    """Make the change that `body` requests; respond with the state after it, or with a problem."""
    with refusals_as_problems():
        request = context.keyed_request(body)
        answer = await carry_out(store, context.restaurant, request, status, change)
    headers = {"ETag": f'"{answer.version}"'}
    if answer.is_repeated:
        headers["Idempotent-Replayed"] = "true"
    if answer.location:
        headers["Location"] = answer.location
    return Response(answer.body, answer.status, headers=headers, media_type="application/json")


@contextlib.contextmanager
def refusals_as_problems() -> Iterator[None]:
    """Raise the refusal of a use case, or the absence of the store, as a problem."""
    try:
        yield
    except Refusal as refusal:
        raise to_problem(refusal) from refusal
    except StoreUnavailable as error:
        raise store_unavailable() from error
