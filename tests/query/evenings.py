"""Evenings full of orders: many events of the streams, prepared to be published quickly."""

import uuid
from collections.abc import Iterator

import comanda_contracts as contracts
from comanda_contracts import Event, Message, Order, OrderStatus, TicketStatus, seal

from tests.query.builders import after, an_order, its_ticket, news_of, offered, opened, placed

COURSE = (TicketStatus.QUEUED, TicketStatus.PREPARING, TicketStatus.READY, TicketStatus.SERVED)
EVENTS_AN_ORDER = len(COURSE) + 2


def whole_course(order: Order) -> list[Event]:
    """An order from being placed to being closed, by version."""
    tickets = [
        news_of(its_ticket(order, version=version, status=status))
        for version, status in enumerate(COURSE, start=1)
    ]
    end = order.model_copy(update={"version": 2, "status": OrderStatus.CLOSED})
    return [placed(order), *tickets, contracts.OrderClosed(order=end, at=after(60))]


def orders_of(restaurant: str, count: int) -> list[Order]:
    """So many, one a second."""
    return [
        an_order(restaurant=restaurant, number=f"A-{number}", placed_at=after(number))
        for number in range(count)
    ]


def evening(restaurant: str, orders: list[Order]) -> Iterator[Message]:
    """The restaurant, its menu, and the orders' events, some hundred orders at a time."""
    for event in (opened(restaurant), offered(restaurant, "tea"), offered(restaurant, "cake")):
        yield seal(event, event_id=uuid.uuid4())
    for start in range(0, len(orders), 300):
        courses = [whole_course(order) for order in orders[start : start + 300]]
        for step in range(EVENTS_AN_ORDER):
            for course in courses:
                yield seal(course[step], event_id=uuid.uuid4())
