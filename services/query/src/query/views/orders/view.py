"""The order view: an order and its tickets, folded from their events.

Views are a join-semilattice: `view_of` maps an event to the view that knows this event alone, and
`merge` unites what two views know. A fold is therefore `merge` over the views of all events, and
gives the same view whatever came twice, late or in another order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, assert_never

from comanda_contracts import (
    CancellationRefused,
    CancellationRequested,
    ItemsAdded,
    ItemsCancelled,
    Order,
    OrderCancelled,
    OrderClosed,
    OrderEvent,
    Ticket,
    TicketEvent,
    TicketStatus,
)
from comanda_contracts.envelope import rfc3339

from query.views.merge import AggregateState, newer
from query.views.orders.search_terms import terms_of
from query.views.orders.status import rounds_as, status_of

FORGOTTEN = "forgotten"
"""The event after which nothing that came before is told of its order, or ticket, any more."""

ORDERING = "ordering"
"""The source of an order's own events."""

LEFT_OUT_FIELDS = {"order_id", "restaurant", "cancellation"}
"""Fields of an order that its state in the view leaves out."""

EVENTS_WITH_REASON = (CancellationRefused, ItemsCancelled, OrderCancelled, OrderClosed)
"""Events that have a reason."""

TICKET_FIELDS = {"status", "started_at", "ready_at", "served_at"}
"""Fields of a ticket that its state in the view has, beside its version."""


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order: its newest state, the newest states of its tickets, and its timeline."""

    order_id: str
    restaurant: str
    order: AggregateState | None = None
    """None while only tickets of the order have come."""
    tickets: Mapping[str, AggregateState] = field(default_factory=dict)
    """By the number of the round."""
    timeline: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """An entry for each event, by its source and version."""


def view_of(event: OrderEvent | TicketEvent) -> OrderView:
    """The view that knows this event alone.

    Raises OverflowError if the order was placed at a time that UTC can't express.
    """
    match event:
        case OrderEvent():
            return view_of_order(event)
        case TicketEvent():
            return view_of_ticket(event)
        case _:
            assert_never(event)


def view_of_order(event: OrderEvent) -> OrderView:
    """The order as it is after the event."""
    order = event.order
    return OrderView(
        str(order.order_id), order.restaurant, order=_order_state(order), timeline=_timeline(event)
    )


def view_of_ticket(event: TicketEvent) -> OrderView:
    """The ticket as it is after the event."""
    ticket = event.ticket
    return OrderView(
        str(ticket.order_id),
        ticket.restaurant,
        tickets={str(ticket.round): _ticket_state(ticket)},
        timeline=_timeline(event),
    )


def merge(one: OrderView, other: OrderView) -> OrderView:
    """The union of two views of one order: commutative, associative and idempotent."""
    return OrderView(
        one.order_id,
        one.restaurant,
        newer(one.order, other.order) if one.order and other.order else one.order or other.order,
        _each_newest(one.tickets, other.tickets),
        without_forgotten({**one.timeline, **other.timeline}),
    )


# decision/0077: a guest is forgotten
def without_forgotten(timeline: Mapping[str, dict[str, Any]]) -> Mapping[str, dict[str, Any]]:
    """The timeline without what came before its order, or a ticket, was forgotten.

    An entry that says so stays, so it is the same whatever comes late or again.
    """
    forgotten = forgotten_versions(timeline)
    if not forgotten:
        return timeline
    return {
        name: entry
        for name, entry in timeline.items()
        if entry["version"] >= forgotten.get(source_of(entry), 0)
    }


def forgotten_versions(timeline: Mapping[str, dict[str, Any]]) -> dict[str, int]:
    """The version at which the order, or a ticket, was forgotten last, by `source_of`."""
    forgotten: dict[str, int] = {}
    for entry in timeline.values():
        if entry["event"] == FORGOTTEN:
            source = source_of(entry)
            forgotten[source] = max(entry["version"], forgotten.get(source, 0))
    return forgotten


def source_of(entry: Mapping[str, Any]) -> str:
    """Whose versions an entry counts: `ordering`, or the ticket's, such as `serving-1`."""
    source: str = entry["source"]
    return source if source == ORDERING else f"{source}-{entry['round']}"


class BatchFold:
    """Merges events as `merge` merges their views, and makes no state that a newer one replaces.

    In a batch of a backlog most states are replaced, and a state is most of the work.
    """

    def __init__(self) -> None:
        self._restaurants: dict[str, str] = {}
        self._timelines: dict[str, dict[str, dict[str, Any]]] = {}
        self._orders: dict[str, Order] = {}
        self._tickets: dict[str, dict[int, Ticket]] = {}

    def add(self, event: OrderEvent | TicketEvent) -> None:
        """Take an event in. Raises OverflowError, as `view_of` does."""
        match event:
            case OrderEvent():
                order_id = str(event.order.order_id)
                _mongo_time(event.order.placed_at)  # an event is refused whatever came beside it
                known = self._orders.get(order_id)
                if known is None or known.version < event.order.version:
                    self._orders[order_id] = event.order
            case TicketEvent():
                order_id = str(event.ticket.order_id)
                tickets = self._tickets.setdefault(order_id, {})
                ticket = tickets.get(event.ticket.round)
                if ticket is None or ticket.version < event.ticket.version:
                    tickets[event.ticket.round] = event.ticket
            case _:
                assert_never(event)
        self._restaurants.setdefault(order_id, event.state.restaurant)
        self._timelines.setdefault(order_id, {}).update(_timeline(event))

    def views(self) -> Iterator[OrderView]:
        """The views of the orders that there were events of, each made when it is asked for."""
        for order_id, restaurant in self._restaurants.items():
            order = self._orders.get(order_id)
            tickets = self._tickets.get(order_id, {})
            yield OrderView(
                order_id,
                restaurant,
                _order_state(order) if order else None,
                {str(number): _ticket_state(ticket) for number, ticket in tickets.items()},
                without_forgotten(self._timelines[order_id]),
            )


def document(view: OrderView) -> dict[str, Any]:
    """The view as the store holds it, with what is derived."""
    known = {"order": view.order, "tickets": view.tickets, "timeline": view.timeline}
    return {
        "_id": view.order_id,
        "restaurant": view.restaurant,
        **{name: value for name, value in known.items() if value},
        **({FORGOTTEN: forgotten} if (forgotten := forgotten_versions(view.timeline)) else {}),
        "status": status_of(view.order, view.tickets),
    }


def _each_newest(
    one: Mapping[str, AggregateState], other: Mapping[str, AggregateState]
) -> Mapping[str, AggregateState]:
    both = {number: newer(one[number], other[number]) for number in one.keys() & other.keys()}
    return {**one, **other, **both}


def _order_state(order: Order) -> AggregateState:
    """The order as JSON, and what the store finds it by and derives its status from."""
    state = order.model_dump(mode="json", exclude=LEFT_OUT_FIELDS)
    return {
        "version": order.version,
        **state,
        "rounds": [{**each, "total": _total(each["lines"])} for each in state["rounds"]],
        "placed_at": _mongo_time(order.placed_at),
        "found_by": terms_of(order),
        "assumed": rounds_as(TicketStatus.QUEUED, order, voided=False),
        "overruled": rounds_as(TicketStatus.VOIDED, order, voided=True),
    }


def _total(lines: list[dict[str, Any]]) -> int:
    return sum(line["unit_price"] * line["quantity"] for line in lines)


def _mongo_time(at: datetime) -> datetime:
    """UTC to the millisecond and without a zone: what MongoDB gives back for a date."""
    at = at.astimezone(UTC).replace(tzinfo=None)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _ticket_state(ticket: Ticket) -> AggregateState:
    return {"version": ticket.version, **ticket.model_dump(mode="json", include=TICKET_FIELDS)}


def _timeline(event: OrderEvent | TicketEvent) -> dict[str, dict[str, Any]]:
    """The timeline that has this event alone."""
    match event:
        case OrderEvent():
            about = event.round if isinstance(event, ItemsAdded) else None
            return {f"{ORDERING}-{event.order.version}": _entry(event, ORDERING, about)}
        case TicketEvent():
            ticket = event.ticket
            entry = _entry(event, "serving", ticket.round)
            return {f"serving-{ticket.round}-{ticket.version}": entry}
        case _:
            assert_never(event)


def _entry(
    event: OrderEvent | TicketEvent, source: str, round_number: int | None
) -> dict[str, Any]:
    return {
        "at": rfc3339(event.at),
        "event": event.name,
        "source": source,
        "round": round_number,
        "version": event.state.version,
        "actor": event.actor,
        "reason": _reason(event),
    }


def _reason(event: OrderEvent | TicketEvent) -> str | None:
    """The reason of an event that has one."""
    if isinstance(event, CancellationRequested) and event.order.cancellation:
        return event.order.cancellation.reason
    return event.reason if isinstance(event, EVENTS_WITH_REASON) else None
