"""Domain state to table rows and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, assert_never

from pydantic import TypeAdapter

from ordering.domain.access import Withdrawal
from ordering.domain.day_closing import DayClosing
from ordering.domain.events import Sender
from ordering.domain.menu import MenuItem
from ordering.domain.order import (
    Cancellation,
    DineIn,
    KitchenVerdict,
    Order,
    OrderStatus,
    Party,
    Round,
    Takeaway,
    TicketState,
)
from ordering.domain.restaurant import Restaurant

Row = Mapping[Any, Any]

_ROUNDS = TypeAdapter(tuple[Round, ...])
_CANCELLATION = TypeAdapter(Cancellation | None)
_SENDER = TypeAdapter(Sender | None)
_TICKETS = TypeAdapter(dict[int, TicketState])

ABANDONED = "abandoned"
"""Marks, in the column of tickets, a verdict that the release before reads as served."""


def restaurant_row(restaurant: Restaurant) -> dict[str, Any]:
    """The row of a restaurant."""
    row = asdict(restaurant)
    row["restaurant"] = row.pop("slug")
    return row


def restaurant_of(row: Row) -> Restaurant:
    """The restaurant in a row."""
    return Restaurant(
        slug=row["restaurant"],
        name=row["name"],
        currency=row["currency"],
        time_zone=row["time_zone"],
        version=row["version"],
        day_begins=row["day_begins"],
        day_begins_since=row["day_begins_since"],
        closes_days=row["closes_days"],
    )


def item_row(item: MenuItem) -> dict[str, Any]:
    """The row of a menu item."""
    return asdict(item)


def item_of(row: Row) -> MenuItem:
    """The menu item in a row."""
    return MenuItem(**row)


def withdrawal_row(withdrawal: Withdrawal) -> dict[str, Any]:
    """The row of a withdrawal."""
    return asdict(withdrawal)


def withdrawal_of(row: Row) -> Withdrawal:
    """The withdrawal in a row."""
    return Withdrawal(**{name: value for name, value in row.items() if name != "written_by"})


def day_closing_row(closing: DayClosing) -> dict[str, Any]:
    """The row of a closing."""
    return asdict(closing)


def day_closing_of(row: Row) -> DayClosing:
    """The closing in a row."""
    return DayClosing(**{**row, "by": _SENDER.validate_python(row["by"])})


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
        "kitchen": {str(number): _stored(verdict) for number, verdict in order.verdicts.items()},
        "kitchen_tickets": _tickets_column(order),
        "handed_over_at": order.handed_over_at,
        "forgotten_at": order.forgotten_at,
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
        verdicts={
            int(number): _verdict_of(verdict, row["kitchen_tickets"].get(number))
            for number, verdict in row["kitchen"].items()
        },
        tickets=_TICKETS.validate_python(row["kitchen_tickets"]),
        forgotten_at=row["forgotten_at"],
    )


def _stored(verdict: KitchenVerdict) -> str:
    """The verdict as the release before knows it: for that, what is abandoned was served."""
    return (KitchenVerdict.SERVED if verdict is KitchenVerdict.ABANDONED else verdict).value


def _tickets_column(order: Order) -> dict[str, Any]:
    column: dict[str, Any] = _TICKETS.dump_python(dict(order.tickets), mode="json")
    for number, ticket in column.items():
        if order.verdicts.get(int(number)) is KitchenVerdict.ABANDONED:
            ticket[ABANDONED] = True
    return column


def _verdict_of(verdict: str, ticket: Mapping[str, Any] | None) -> KitchenVerdict:
    if ticket and ticket.get(ABANDONED):
        return KitchenVerdict.ABANDONED
    return KitchenVerdict(verdict)


def _party_columns(party: Party) -> dict[str, Any]:
    match party:
        case DineIn(table=table, guests=guests):
            columns = {"channel": "dine_in", "table": table, "guests": guests}
        case Takeaway(customer=customer, phone=phone):
            columns = {"channel": "takeaway", "customer": customer, "phone": phone}
        case _:
            assert_never(party)
    return {"table": None, "guests": None, "customer": None, "phone": None, **columns}


def _party_of(row: Row) -> Party:
    match row["channel"]:
        case "dine_in":
            return DineIn(table=row["table"], guests=row["guests"])
        case "takeaway":
            return Takeaway(customer=row["customer"], phone=row["phone"])
        case channel:
            raise ValueError(f"no order has channel {channel!r}")
