"""Events of query's tests: valid, and different only in what a test says."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import comanda_contracts as contracts
from comanda_contracts import AccessEvent, AnyTicketStatus, Order, OrderStatus, Ticket, TicketStatus
from comanda_contracts.examples import EXAMPLES

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SHOWN = [event for event in EXAMPLES if not isinstance(event, AccessEvent)]
"""An example of each event that a view is made from."""
LINE = contracts.Line(sku="margherita", name="Margherita", unit_price=850, quantity=2)


def after(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def a_restaurant() -> str:
    """A slug that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


def a_round(number: int, **fields: Any) -> contracts.Round:
    known: dict[str, Any] = {"round": number, "lines": (LINE,) * number, "ordered_at": NOON}
    return contracts.Round(**(known | fields))


def an_order(**fields: Any) -> Order:
    """An order of one round; its total follows from its rounds."""
    rounds = fields.setdefault("rounds", (a_round(1),))
    known: dict[str, Any] = {
        "restaurant": "la-piazza",
        "order_id": uuid.uuid4(),
        "version": 1,
        "number": "A-001",
        "business_day": NOON.date(),
        "channel": contracts.Channel.TAKEAWAY,
        "customer": "Ada",
        "currency": "EUR",
        "status": OrderStatus.OPEN,
        "total": sum(1700 * each.round for each in rounds if not each.voided),
        "placed_at": NOON,
    }
    return Order(**(known | fields))


def at_table(name: str) -> dict[str, Any]:
    """The fields of an order of two guests at a table."""
    channel = contracts.Channel.DINE_IN
    return {"channel": channel, "table": name, "guests": 2, "customer": None}


def its_ticket(order: Order, **fields: Any) -> Ticket:
    """The ticket of the order's first round, unless the fields say otherwise."""
    known: dict[str, Any] = {
        "restaurant": order.restaurant,
        "order_id": order.order_id,
        "version": 1,
        "round": 1,
        "number": order.number,
        "channel": order.channel,
        "customer": order.customer,
        "lines": (contracts.TicketLine(sku="margherita", name="Margherita", quantity=2),),
        "status": TicketStatus.QUEUED,
        "ordered_at": NOON,
    }
    return Ticket(**(known | fields))


def placed(order: Order, at: datetime = NOON) -> contracts.OrderPlaced:
    return contracts.OrderPlaced(order=order, at=at, actor="Gino")


def closed(order: Order, at: datetime = NOON) -> contracts.OrderClosed:
    later = order.model_copy(update={"version": order.version + 1, "status": OrderStatus.CLOSED})
    return contracts.OrderClosed(order=later, at=at)


def news_of(ticket: Ticket, at: datetime = NOON) -> contracts.TicketEvent:
    """The event that a ticket of this status comes from."""
    events: dict[AnyTicketStatus, type[contracts.TicketEvent]] = {
        TicketStatus.QUEUED: contracts.TicketQueued,
        TicketStatus.PREPARING: contracts.TicketStarted,
        TicketStatus.READY: contracts.TicketReady,
        TicketStatus.SERVED: contracts.TicketServed,
        TicketStatus.VOIDED: contracts.TicketVoided,
        TicketStatus.ABANDONED: contracts.TicketAbandoned,
    }
    return events.get(ticket.status, contracts.TicketStarted)(ticket=ticket, at=at)


def opened(restaurant: str, **fields: Any) -> contracts.RestaurantSet:
    """The event that makes a restaurant known."""
    known: dict[str, Any] = {
        "restaurant": restaurant,
        "version": 1,
        "name": "La Piazza",
        "currency": "EUR",
        "time_zone": "Europe/Rome",
    }
    return contracts.RestaurantSet(at=NOON, restaurant=contracts.Restaurant(**(known | fields)))


def offered(restaurant: str, sku: str, **fields: Any) -> contracts.MenuEvent:
    """The event that puts an item on the menu, or takes it off if it is withdrawn."""
    known: dict[str, Any] = {
        "restaurant": restaurant,
        "version": 1,
        "sku": sku,
        "name": sku.title(),
        "category": "Pizza",
        "price": 850,
        "available": True,
    }
    item = contracts.MenuItem(**(known | fields))
    event = contracts.MenuItemWithdrawn if item.withdrawn else contracts.MenuItemSet
    return event(at=NOON, item=item)
