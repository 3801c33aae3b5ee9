"""How a subscriber reads a message of any stream."""

from collections.abc import Mapping

from pydantic import ValidationError

from comanda_contracts import access, menu, orders, restaurants, tickets
from comanda_contracts.envelope import Event, UnknownType, Unreadable
from comanda_contracts.successions import as_newest

EVENTS: dict[str, type[Event]] = {
    event.TYPE: event
    for event in (
        orders.OrderPlaced,
        orders.ItemsAdded,
        orders.CancellationRequested,
        orders.CancellationRefused,
        orders.ItemsCancelled,
        orders.OrderCancelled,
        orders.OrderClosed,
        orders.OrderRestated,
        orders.OrderForgotten,
        tickets.TicketQueued,
        tickets.TicketStarted,
        tickets.TicketReady,
        tickets.TicketRecalled,
        tickets.TicketServed,
        tickets.TicketVoided,
        tickets.TicketVoidRefused,
        tickets.TicketAbandoned,
        tickets.TicketRestated,
        tickets.TicketForgotten,
        menu.MenuItemSet,
        menu.MenuItemWithdrawn,
        restaurants.RestaurantSet,
        access.AccessWithdrawn,
    )
}
"""Every published event by its CloudEvents type."""


def read(headers: Mapping[str, str] | None, body: bytes) -> Event:
    """Read one message, as the newest version of its event.

    Raises Unreadable, with a reason for a person, if it is not a published event or not valid;
    UnknownType, which is one, if only its type is not known here.
    """
    event_type = (headers or {}).get("ce-type")
    if event_type is None:
        raise Unreadable("header ce-type is missing")
    model = EVENTS.get(str(event_type))  # of a header that is not ASCII nats-py may make an object
    if model is None:
        raise UnknownType(f"ce-type {event_type!r} is not known")
    try:
        return as_newest(model.model_validate_json(body))
    except ValidationError as error:
        raise Unreadable(_in_words(error)) from error


def _in_words(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"
        for problem in problems
    )
