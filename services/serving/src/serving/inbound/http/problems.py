"""The problem, with its HTTP status, that each refusal is answered with."""

import contextlib
from collections.abc import Iterator
from typing import Any

import comanda_contracts as contracts
from pydantic import Field
from service_kit.http import problems
from service_kit.http.problems import ProblemError

from serving.application.keyed_request import KeyReused
from serving.application.tickets import StoreUnavailable
from serving.contract import ticket_to_contract
from serving.domain.ticket import (
    Refusal,
    Ticket,
    TooLateToRecall,
    UnknownTicket,
    VersionMismatch,
    WrongStatus,
)

RETRY_AFTER_S = 1


class Problem(problems.Problem):
    """RFC 9457 problem details; `code` is for programs, `detail` for people."""

    ticket: contracts.Ticket | None = Field(
        None, description="as it is, where its status or version is why"
    )


@contextlib.contextmanager
def refusals_as_problems() -> Iterator[None]:
    """Raise ProblemError in place of a Refusal or StoreUnavailable."""
    try:
        yield
    except (Refusal, StoreUnavailable) as error:
        raise to_problem(error) from error


def to_problem(error: Refusal | StoreUnavailable) -> ProblemError:
    """The problem for an error, with the ticket if that says why. Raises one that has none."""
    why = str(error)
    match error:
        case WrongStatus(ticket=ticket) | TooLateToRecall(ticket=ticket):
            return ProblemError(409, error.code, why, ticket=_json(ticket))
        case VersionMismatch(ticket=ticket):
            return ProblemError(412, error.code, why, field="If-Match", ticket=_json(ticket))
        case KeyReused():
            return ProblemError(422, error.code, why, field="Idempotency-Key")
        case StoreUnavailable():
            detail = f"The tickets can't be reached now: {why}."
            return ProblemError(
                503, "store-unavailable", detail, headers={"Retry-After": str(RETRY_AFTER_S)}
            )
        case UnknownTicket():
            return ProblemError(404, error.code, why)
    raise error


def _json(ticket: Ticket) -> dict[str, Any]:
    return ticket_to_contract(ticket).model_dump(mode="json")
