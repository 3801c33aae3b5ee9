"""What all routes share: their parameters, and how a use case's outcome becomes an answer."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Protocol, TypeVar

import comanda_contracts as contracts
from comanda_contracts.subjects import SKU_PATTERN, SLUG_PATTERN
from fastapi import Header, Path, Response
from pydantic import StringConstraints
from service_kit.problems import Refused

from ordering.application.transaction import StoreUnavailable, Transaction
from ordering.domain.refusals import Refusal
from ordering.inbound.bodies import ACTOR_PATTERN
from ordering.inbound.refusals import problem

Result = TypeVar("Result")

Command = Callable[[Transaction], Awaitable[Result]]

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


class Run(Protocol):
    """Runs a use case in a transaction and returns its result once it is committed.

    Raises the use case's Refusal, or StoreUnavailable.
    """

    def __call__(self, command: Command[Result]) -> Awaitable[Result]:
        """See the class."""
        ...


async def done(run: Run, command: Command[Result]) -> Result:
    """The use case's result. Raises Refused with the problem to answer."""
    with refusals_as_problems():
        return await run(command)


@contextlib.contextmanager
def refusals_as_problems() -> Iterator[None]:
    """Turn what a use case refuses, or a store that is away, into a problem to answer."""
    try:
        yield
    except Refusal as refusal:
        raise problem(refusal) from refusal
    except StoreUnavailable as error:
        detail = "The store of orders can't be reached now."
        raise Refused(503, "store-unavailable", detail, headers={"Retry-After": "1"}) from error


def answer(state: contracts.State, *, status: int = 200, **headers: str) -> Response:
    """The state as JSON, its version as ETag."""
    return Response(
        state.model_dump_json(),
        status,
        headers={"ETag": f'"{state.version}"', **headers},
        media_type="application/json",
    )
