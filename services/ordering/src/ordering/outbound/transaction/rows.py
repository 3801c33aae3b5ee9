"""Domain state to table rows and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from ordering.domain.menu import MenuItem
from ordering.domain.order import (
    Cancellation,
    DineIn,
    Heard,
    Order,
    OrderStatus,
    Party,
    Round,
    Takeaway,
)
from ordering.domain.restaurant import Restaurant

Row = Mapping[Any, Any]

_ROUNDS = TypeAdapter(tuple[Round, ...])
_CANCELLATION = TypeAdapter(Cancellation | None)


def restaurant_row(restaurant: Restaurant) -> dict[str, Any]:
    """The row of a restaurant."""
    return asdict(restaurant)


def restaurant_of(row: Row) -> Restaurant:
    """The restaurant in a row."""
    return Restaurant(**row)


def item_row(item: MenuItem) -> dict[str, Any]:
    """The row of a menu item."""
    return asdict(item)


def item_of(row: Row) -> MenuItem:
    """The menu item in a row."""
    return MenuItem(**row)


def order_row(order: Order) -> dict[str, Any]:
    """The row of an order."""
    return {
        "id": order.order_id,
        "restaurant": order.restaurant,
        "number": order.number,
        "business_day": order.business_day,
        **_party_columns(order.party),
        "currency": order.currency,
        "status": order.status.value,
        "rounds": _ROUNDS.dump_python(order.rounds, mode="json"),
        "total": order.total,
        "placed_at": order.placed_at,
        "cancellation": _CANCELLATION.dump_python(order.cancellation, mode="json"),
        "kitchen": {str(number): heard.value for number, heard in order.kitchen.items()},
        "version": order.version,
    }


def order_of(row: Row) -> Order:
    """The order in a row."""
    return Order(
        order_id=row["id"],
        restaurant=row["restaurant"],
        number=row["number"],
        business_day=row["business_day"],
        party=_party_of(row),
        currency=row["currency"],
        rounds=_ROUNDS.validate_python(row["rounds"]),
        placed_at=row["placed_at"],
        version=row["version"],
        status=OrderStatus(row["status"]),
        cancellation=_CANCELLATION.validate_python(row["cancellation"]),
        kitchen={int(number): Heard(heard) for number, heard in row["kitchen"].items()},
    )


def _party_columns(party: Party) -> dict[str, Any]:
    match party:
        case DineIn(table=table, guests=guests):
            known = {"channel": "dine_in", "table": table, "guests": guests}
        case Takeaway(customer=customer, phone=phone):
            known = {"channel": "takeaway", "customer": customer, "phone": phone}
    return {"table": None, "guests": None, "customer": None, "phone": None, **known}


def _party_of(row: Row) -> Party:
    if row["channel"] == "dine_in":
        return DineIn(table=row["table"], guests=row["guests"])
    return Takeaway(customer=row["customer"], phone=row["phone"])
