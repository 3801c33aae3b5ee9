"""Serving's refusals as problems, each with its status."""

import contextlib
from collections.abc import Iterator
from typing import Any

from service_kit.http.problems import ProblemError

from serving.application.request import KeyReused
from serving.application.tickets import StoreUnavailable
from serving.domain.ticket import Refusal, Ticket, UnknownTicket, VersionMismatch, WrongStatus
from serving.published import published_ticket

RETRY_AFTER = "1"
"""Seconds."""


@contextlib.contextmanager
def refusals_as_problems() -> Iterator[None]:
    """Turn what serving raises into the answer."""
    try:
        yield
    except (Refusal, StoreUnavailable) as error:
        raise to_problem(error) from error


def to_problem(error: Refusal | StoreUnavailable) -> ProblemError:
    """The answer over HTTP; a ticket that says why comes with it."""
    why = str(error)
    match error:
        case WrongStatus(ticket=ticket):
            return ProblemError(409, error.code, why, ticket=_json(ticket))
        case VersionMismatch(ticket=ticket):
            return ProblemError(412, error.code, why, field="If-Match", ticket=_json(ticket))
        case KeyReused():
            return ProblemError(422, error.code, why, field="Idempotency-Key")
        case StoreUnavailable():
            detail = f"The tickets can't be reached now: {why}."
            return ProblemError(
                503, "store-unavailable", detail, headers={"Retry-After": RETRY_AFTER}
            )
        case UnknownTicket():
            return ProblemError(404, error.code, why)
    raise error


def _json(ticket: Ticket) -> dict[str, Any]:
    return published_ticket(ticket).model_dump(mode="json")
