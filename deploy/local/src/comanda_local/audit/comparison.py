"""Whether the read store shows what the write side says. Pure: both sides come in as values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from comanda_contracts import Line, Order, Ticket

from comanda_local.api import Json
from comanda_local.audit.derived import Tickets, derived_status, round_total, total
from comanda_local.audit.settlement import unsettled

MISSING = "nothing"
"""Stands for what one side does not have at all."""

HEAD = (
    *("order_id", "restaurant", "number", "business_day", "version", "channel", "table", "guests"),
    *("customer", "phone", "currency", "placed_at"),
)
LINE = tuple(Line.model_fields)
TICKET = ("status", "version", "started_at", "ready_at", "served_at")


@dataclass(frozen=True, slots=True)
class Difference:
    """Something about an order on which two stores do not agree."""

    order_id: UUID
    what: str
    """Path into the order view, such as `rounds.1.ticket.status`."""
    written: object
    """What the write side says."""
    shown: object

    def __str__(self) -> str:
        return f"{self.order_id}: {self.what}: written {self.written!s}, shown {self.shown!s}"


def compare(
    order_id: UUID, order: Order | None, tickets: Tickets, view: Json | None
) -> list[Difference]:
    """Every difference between the write side's order and tickets and the read side's view.

    The write side must also agree with itself: ordering's order with serving's tickets.
    """
    if order is None or view is None:
        written = MISSING if order is None else order.number
        shown = MISSING if view is None else view.get("number")
        return [Difference(order_id, "order", written, shown)]
    found = [*unsettled(order, tickets), *_unlike(_must_show(order, tickets), _compared(view))]
    return [Difference(order_id, *each) for each in found]


def _unlike(must_show: Json, view: Json) -> Iterator[tuple[str, object, object]]:
    written, shown = dict(_leaves(must_show)), dict(_leaves(view))
    for path in sorted(written.keys() | shown.keys()):
        pair = (written.get(path, MISSING), shown.get(path, MISSING))
        if pair[0] != pair[1]:
            yield (path, *pair)


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The values in nested JSON by their paths; times as times, whatever their notation."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{number}")
    elif isinstance(value, str) and path.endswith("_at"):
        yield path, datetime.fromisoformat(value)
    else:
        yield path, value


def _must_show(order: Order, tickets: Tickets) -> Json:
    """What the view must consist of, in the shape in which views are compared."""
    return {
        **order.model_dump(mode="json", include=set(HEAD)),
        "status": derived_status(order, tickets),
        "total": total(order),
        "rounds": {
            each.round: {
                "lines": [line.model_dump(mode="json") for line in each.lines],
                "ordered_at": each.ordered_at.isoformat(),
                "voided": each.voided,
                "total": round_total(each),
                "ticket": _shown_ticket(tickets.get(each.round)),
            }
            for each in order.rounds
        },
        "timeline": {
            "ordering": order.version,
            **{f"round {number}": ticket.version for number, ticket in tickets.items()},
        },
    }


def _shown_ticket(ticket: Ticket | None) -> Json | None:
    return None if ticket is None else ticket.model_dump(mode="json", include=set(TICKET))


def _compared(view: Json) -> Json:
    """The view in the shape in which views are compared: what else it has is its own affair."""
    return {
        **_pick(view, (*HEAD, "status", "total")),
        "rounds": {each.get("round"): _compared_round(each) for each in view.get("rounds") or []},
        "timeline": _versions_by_source(view.get("timeline") or []),
    }


def _compared_round(shown: Json) -> Json:
    ticket = shown.get("ticket")
    return {
        **_pick(shown, ("ordered_at", "voided", "total")),
        "lines": [_pick(line, LINE) for line in shown.get("lines") or []],
        "ticket": ticket and _pick(ticket, TICKET),
    }


def _pick(values: Json, names: tuple[str, ...]) -> Json:
    return {name: values.get(name) for name in names}


def _versions_by_source(timeline: list[Json]) -> Json:
    """How many versions of the order, and of each ticket, the timeline tells of."""
    versions: dict[str, set[object]] = {}
    for entry in timeline:
        source = entry.get("source")
        about = "ordering" if source == "ordering" else f"round {entry.get('round')}"
        versions.setdefault(about, set()).add(entry.get("version"))
    return {about: len(seen) for about, seen in versions.items()}
