"""Ordering's refusals as problems: each with its status, and the fields at fault."""

from service_kit.http.problems import FieldError, ProblemError

from ordering.application.keyed_request import KeyReused
from ordering.domain import refusals

PROBLEMS: dict[type[refusals.Refusal], tuple[int, str | None]] = {
    refusals.UnknownRestaurant: (404, "restaurant"),
    refusals.UnknownMenuItem: (404, "sku"),
    refusals.UnknownOrder: (404, "order_id"),
    refusals.WithdrawnMenuItem: (409, "sku"),
    refusals.NotListed: (422, None),
    refusals.CurrencyIsFixed: (409, "currency"),
    refusals.OrderNotOpen: (409, None),
    refusals.OrderNotOver: (409, None),
    refusals.StillInTheKitchen: (409, None),
    refusals.TooLateToCancel: (409, None),
    refusals.TooManyWithdrawals: (429, None),
    refusals.DayNotBegun: (422, "business_day"),
    refusals.VersionMismatch: (412, "If-Match"),
    refusals.CannotOrder: (422, None),
    refusals.OrderTooLarge: (422, "lines"),
    refusals.UnknownRound: (422, "rounds"),
    refusals.CommandExpired: (410, "Comanda-Expires"),
    KeyReused: (422, None),
}
"""Status and field of each refusal; None where no single field is at fault, or it depends."""


def to_problem(refusal: refusals.Refusal, *, key: str = "Idempotency-Key") -> ProblemError:
    """The refusal as an answer; `key` is the header that names a request."""
    status, field = PROBLEMS[type(refusal)]
    field = key if isinstance(refusal, KeyReused) else field
    return ProblemError(status, refusal.code, str(refusal), field=field, errors=_errors(refusal))


def store_unavailable() -> ProblemError:
    """The problem that the database can't be reached."""
    detail = "The store of orders can't be reached now."
    return ProblemError(503, "store-unavailable", detail, headers={"Retry-After": "1"})


def _errors(refusal: refusals.Refusal) -> list[FieldError]:
    """The fields at fault, of the refusals that name them."""
    match refusal:
        case refusals.NotListed():
            return [FieldError(field=name, detail=why) for name, why in refusal.faults.items()]
        case refusals.CannotOrder():
            return [
                FieldError(field=f"lines.{line.index}.sku", detail=line.detail)
                for line in refusal.lines
            ]
        case _:
            return []
