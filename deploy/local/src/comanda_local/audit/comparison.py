"""Whether the read store shows what the write side says. Pure: both sides come in as values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from comanda_contracts import Line, Order, Ticket

from comanda_local.api import Json
from comanda_local.audit.agreement import disagreements
from comanda_local.audit.expected import Tickets, expected_status, round_total, total

BEGINNINGS = ("restated", "forgotten")
"""Events before which a timeline may lack what came before."""
NOTHING = "nothing"
"""Stands for a value that one side lacks."""

ORDER_FIELDS = (
    *("order_id", "restaurant", "number", "business_day", "version", "channel", "table", "guests"),
    *("customer", "phone", "currency", "placed_at"),
)
LINE_FIELDS = tuple(Line.model_fields)
TICKET_FIELDS = ("status", "version", "started_at", "ready_at", "served_at")


@dataclass(frozen=True, slots=True)
class Difference:
    """A value of an order on which two stores disagree."""

    order_id: UUID
    path: str
    """Path into the order view, such as `rounds.1.ticket.status`."""
    written: object
    """The write side's value."""
    shown: object
    """The read side's value."""

    def __str__(self) -> str:
        return f"{self.order_id}: {self.path}: written {self.written!s}, shown {self.shown!s}"


def compare(
    order_id: UUID, order: Order | None, tickets: Tickets, view: Json | None
) -> list[Difference]:
    """Every difference between the write side's order and tickets and the read side's view.

    The write side must also agree with itself: ordering's order with serving's tickets.
    """
    if order is None or view is None:
        written = NOTHING if order is None else order.number
        shown = NOTHING if view is None else view.get("number")
        return [Difference(order_id, "order", written, shown)]
    found = [
        *disagreements(order, tickets),
        *_differences(_expected_view(order, tickets), _comparable(view)),
    ]
    return [Difference(order_id, *each) for each in found]


def _differences(expected: Json, view: Json) -> Iterator[tuple[str, object, object]]:
    written, shown = dict(_leaves(expected)), dict(_leaves(view))
    for path in sorted(written.keys() | shown.keys()):
        pair = (written.get(path, NOTHING), shown.get(path, NOTHING))
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


def _expected_view(order: Order, tickets: Tickets) -> Json:
    """The view that the order and its tickets should have, in the shape that is compared."""
    return {
        **order.model_dump(mode="json", include=set(ORDER_FIELDS)),
        "status": expected_status(order, tickets),
        "total": total(order),
        "rounds": {
            each.round: {
                "lines": [line.model_dump(mode="json") for line in each.lines],
                "ordered_at": each.ordered_at.isoformat(),
                "voided": each.voided,
                "total": round_total(each),
                "ticket": _expected_ticket(tickets.get(each.round)),
            }
            for each in order.rounds
        },
        "timeline": {
            "ordering": order.version,
            **{f"round {number}": ticket.version for number, ticket in tickets.items()},
        },
    }


def _expected_ticket(ticket: Ticket | None) -> Json | None:
    return None if ticket is None else ticket.model_dump(mode="json", include=set(TICKET_FIELDS))


def _comparable(view: Json) -> Json:
    """The view in the shape that is compared; its further fields are left out."""
    return {
        **_pick(view, (*ORDER_FIELDS, "status", "total")),
        "rounds": {each.get("round"): _comparable_round(each) for each in view.get("rounds") or []},
        "timeline": _versions_by_source(view.get("timeline") or []),
    }


def _comparable_round(shown: Json) -> Json:
    ticket = shown.get("ticket")
    return {
        **_pick(shown, ("ordered_at", "voided", "total")),
        "lines": [_pick(line, LINE_FIELDS) for line in shown.get("lines") or []],
        "ticket": ticket and _pick(ticket, TICKET_FIELDS),
    }


def _pick(values: Json, names: tuple[str, ...]) -> Json:
    return {name: values.get(name) for name in names}


def _versions_by_source(timeline: list[Json]) -> Json:
    """The versions of the order, and of each ticket, that the timeline has without a gap.

    What came before a restatement may have been lost, and before a ticket's there is a gap; what
    came before a guest was forgotten is erased.
    """
    events: dict[str, dict[int, object]] = {}
    for entry in timeline:
        source = entry.get("source")
        about = "ordering" if source == "ordering" else f"round {entry.get('round')}"
        events.setdefault(about, {})[entry.get("version", 0)] = entry.get("event")
    return {about: _last_without_a_gap(seen) for about, seen in events.items()}


def _last_without_a_gap(events: Mapping[int, object]) -> int:
    """The version up to which there is each since the last that may be told alone, or the first."""
    begin = max((version for version, event in events.items() if event in BEGINNINGS), default=1)
    return begin - 1 + sum(version >= begin for version in events)
