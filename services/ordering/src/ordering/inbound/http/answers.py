"""How a use case's outcome becomes an answer over HTTP."""

import contextlib
from collections.abc import Iterator

from fastapi import Response
from pydantic import BaseModel

from ordering.application.transaction import StoreUnavailable
from ordering.domain.refusals import Refusal
from ordering.inbound.answering import Change, Store, answer
from ordering.inbound.http.asked import Asked
from ordering.inbound.refusals import store_away, to_problem


async def changed(
    store: Store, asked: Asked, body: BaseModel | None, change: Change, *, status: int = 200
) -> Response:
    """Make the change that `body` asks for and answer with what it is then, or with a problem."""
    with refusals_as_problems():
        answered = await answer(store, asked.request(body), status, change)
    headers = {"ETag": f'"{answered.version}"'}
    if answered.location:
        headers["Location"] = answered.location
    return Response(answered.body, answered.status, headers=headers, media_type="application/json")


@contextlib.contextmanager
def refusals_as_problems() -> Iterator[None]:
    """Turn what a use case refuses, or a store that is away, into a problem to answer."""
    try:
        yield
    except Refusal as refusal:
        raise to_problem(refusal) from refusal
    except StoreUnavailable as error:
        raise store_away() from error
