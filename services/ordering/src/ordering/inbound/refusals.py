"""Ordering's refusals as problems: each with its status, and the fields at fault."""

from service_kit.http.problems import FieldError, ProblemError

from ordering.application.once import KeyReused
from ordering.domain import refusals

STATUSES: dict[type[refusals.Refusal], int] = {
    refusals.UnknownRestaurant: 404,
    refusals.UnknownMenuItem: 404,
    refusals.UnknownOrder: 404,
    refusals.WithdrawnMenuItem: 409,
    refusals.CurrencyIsFixed: 409,
    refusals.OrderNotOpen: 409,
    refusals.StillInTheKitchen: 409,
    refusals.TooLateToCancel: 409,
    refusals.VersionMismatch: 412,
    refusals.CannotOrder: 422,
    refusals.OrderTooLarge: 422,
    KeyReused: 422,
    refusals.UnknownRound: 422,
}

FIELDS: dict[type[refusals.Refusal], str] = {
    refusals.UnknownRestaurant: "restaurant",
    refusals.UnknownMenuItem: "sku",
    refusals.UnknownOrder: "order_id",
    refusals.WithdrawnMenuItem: "sku",
    refusals.CurrencyIsFixed: "currency",
    refusals.VersionMismatch: "If-Match",
    refusals.OrderTooLarge: "lines",
    refusals.UnknownRound: "rounds",
    KeyReused: "Idempotency-Key",
}


def to_problem(refusal: refusals.Refusal) -> ProblemError:
    """The refusal as an answer over HTTP."""
    kind = type(refusal)
    return ProblemError(
        STATUSES[kind], refusal.code, str(refusal), field=FIELDS.get(kind), errors=_lines(refusal)
    )


def store_away() -> ProblemError:
    """The database can't be reached."""
    detail = "The store of orders can't be reached now."
    return ProblemError(503, "store-unavailable", detail, headers={"Retry-After": "1"})


def _lines(refusal: refusals.Refusal) -> list[FieldError]:
    if not isinstance(refusal, refusals.CannotOrder):
        return []
    return [
        FieldError(field=f"lines.{line.index}.sku", detail=line.detail) for line in refusal.lines
    ]
