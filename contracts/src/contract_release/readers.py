"""Who is known to read what: whom a breaking change must name.

A team that subscribes adds a line. That they are as here is tested against the consumers of the
services, the teams that are let in and the examples.
"""

from comanda_contracts import subjects

_EVERYTHING = (
    subjects.ALL_ORDERS,
    subjects.ALL_TICKETS,
    subjects.ALL_MENUS,
    subjects.ALL_RESTAURANTS,
    subjects.ALL_ACCESS,
)


def _orders(*events: str) -> tuple[str, ...]:
    return tuple(subjects.order("*", "*", event) for event in events)


def _tickets(*events: str) -> tuple[str, ...]:
    return tuple(subjects.ticket("*", "*", "*", event) for event in events)


READERS: dict[str, tuple[str, ...]] = {
    "ordering": (
        *_tickets("served", "recalled", "voided", "void-refused", "abandoned", "restated"),
        *_orders("forgotten"),
    ),
    "serving": (
        *_orders("placed", "items-added", "cancellation-requested", "restated", "forgotten"),
        subjects.ALL_TICKETS,
        subjects.ALL_ACCESS,
    ),
    "query": _EVERYTHING,
    "notifier": (*_orders("placed"), *_tickets("ready")),
    "wallboard": ("orders.v1.la-piazza.>", "tickets.v1.la-piazza.>"),
    "pickup-python": (subjects.ALL_ORDERS, subjects.ALL_TICKETS),
    "pickup-javascript": (subjects.ALL_ORDERS, subjects.ALL_TICKETS),
}
"""Filters by reader."""


def readers_of(subject: str) -> list[str]:
    """The known readers of a subject."""
    return [
        reader
        for reader, patterns in READERS.items()
        if any(subjects.covers(pattern, subject) for pattern in patterns)
    ]
