"""Orders, menus and commands as tests need them."""

import uuid
from datetime import UTC, datetime
from typing import Any

from ordering.application.place_order import PlaceOrder
from ordering.domain.menu import MenuItem, RequestedLine
from ordering.domain.order import DineIn, Line, Order, Party, Takeaway, place
from ordering.domain.restaurant import Restaurant

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TABLE_12 = DineIn(table="12", guests=2)
ADA = Takeaway(customer="Ada")


def a_restaurant(**changes: Any) -> Restaurant:
    known: dict[str, Any] = {
        "slug": "la-piazza",
        "name": "La Piazza",
        "currency": "EUR",
        "time_zone": "Europe/Rome",
        "version": 1,
    }
    return Restaurant(**(known | changes))


def an_item(sku: str = "margherita", **changes: Any) -> MenuItem:
    known: dict[str, Any] = {
        "restaurant": "la-piazza",
        "sku": sku,
        "name": sku.title(),
        "category": "Pizza",
        "price": 850,
        "available": True,
        "version": 1,
    }
    return MenuItem(**(known | changes))


def a_line(quantity: int = 1, unit_price: int = 850) -> Line:
    return Line(sku="margherita", name="Margherita", unit_price=unit_price, quantity=quantity)


def an_order(party: Party = TABLE_12, *, rounds: int = 1) -> Order:
    """An open order with so many rounds, one Margherita (850) each."""
    placed = place(
        order_id=uuid.uuid4(),
        restaurant=a_restaurant(),
        sequence=1,
        party=party,
        lines=(a_line(),),
        at=NOON,
        actor=None,
    )
    order = placed.order
    for _ in range(rounds - 1):
        order = order.add_items((a_line(),), at=NOON, actor=None).order
    return order


def a_requested_line(sku: str = "margherita", quantity: int = 1) -> RequestedLine:
    return RequestedLine(sku=sku, quantity=quantity)


def a_place_order(
    restaurant: str = "la-piazza", *requested_lines: RequestedLine, party: Party = ADA
) -> PlaceOrder:
    return PlaceOrder(
        order_id=uuid.uuid4(),
        restaurant=restaurant,
        party=party,
        requested_lines=requested_lines or (a_requested_line(),),
    )
