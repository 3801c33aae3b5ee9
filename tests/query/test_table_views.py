"""Occupied tables as a pure fold of active orders."""

import functools
from typing import Any

import pytest
from comanda_contracts import Order, OrderEvent, OrderStatus, TicketEvent, TicketStatus
from query.views.merge import Document
from query.views.orders.tables import natural, occupied_tables
from query.views.orders.view import document, merge, view_of

from tests.query.builders import after, an_order, at_table, its_ticket, news_of, placed


def stored(order: Order, ticket: TicketStatus | None = None) -> Document:
    """The document of an order, with its ticket if it has one."""
    events: list[OrderEvent | TicketEvent] = [
        placed(order),
        *([news_of(its_ticket(order, status=ticket))] if ticket else []),
    ]
    return document(functools.reduce(merge, map(view_of, events)))


def seated(table: str, at: float, **fields: Any) -> Order:
    """An order at a table, placed so many seconds after noon."""
    return an_order(number=f"A-{at}", placed_at=after(at), **(at_table(table) | fields))


def test_a_table_sums_up_its_orders_the_earliest_first() -> None:
    early, late = seated("7", 1), seated("7", 2, guests=3, version=4)

    (table,) = occupied_tables([stored(late), stored(early)])

    documents = stored(early)["order"], stored(late)["order"]
    assert table == {
        "table": "7",
        "since": documents[0]["placed_at"],
        "status": "placed",
        "guests": 5,
        "open_total": 3400,
        "currency": "EUR",
        "orders": [
            {
                "order_id": str(order.order_id),
                "number": order.number,
                "version": order.version,
                "placed_at": found["placed_at"],
                "total": 1700,
                "status": "placed",
            }
            for order, found in zip((early, late), documents, strict=True)
        ],
    }


def test_guests_that_nobody_counted_add_none() -> None:
    orders = [seated("7", 1, guests=None), seated("7", 2, guests=4)]

    assert [each["guests"] for each in occupied_tables(map(stored, orders))] == [4]


@pytest.mark.parametrize(
    ("tickets", "status"),
    [
        ((TicketStatus.SERVED, TicketStatus.READY), "ready"),
        ((TicketStatus.SERVED, TicketStatus.PREPARING), "preparing"),
        ((TicketStatus.PREPARING, None), "placed"),
        ((TicketStatus.SERVED, TicketStatus.SERVED), "served"),
    ],
)
def test_the_most_urgent_order_gives_the_table_its_status(
    tickets: tuple[TicketStatus | None, ...], status: str
) -> None:
    orders = [stored(seated("7", at), ticket) for at, ticket in enumerate(tickets)]

    assert [each["status"] for each in occupied_tables(orders)] == [status]


def test_an_order_that_is_being_cancelled_comes_right_after_what_is_ready() -> None:
    cancelling = stored(seated("7", 1, status=OrderStatus.CANCELLING))
    others = [stored(seated("7", 2)), stored(seated("7", 3), TicketStatus.READY)]

    assert occupied_tables([cancelling, others[0]])[0]["status"] == "cancelling"
    assert occupied_tables([cancelling, *others])[0]["status"] == "ready"


def test_orders_of_one_moment_have_an_order_of_their_own() -> None:
    orders = [stored(seated("7", 1)) for _ in range(5)]

    ids = [each["order_id"] for each in occupied_tables(orders)[0]["orders"]]

    assert ids == sorted(ids)


def test_tables_are_told_apart_and_sorted_as_people_count() -> None:
    names = ["10", "Bar 2", "2", "bar 10", "Ab", "007"]

    tables = occupied_tables(stored(seated(name, 1)) for name in names)

    assert [each["table"] for each in tables] == ["Ab", "Bar 2", "bar 10", "2", "007", "10"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2", "10"),
        ("007", "7"),  # the same number, by its name
        ("Bar 2", "bar 10"),
        ("a", "1"),
        ("9" * 5000, "1" + "0" * 5000),
        ("1a", "1b"),
        ("1", "1a"),
    ],
)
def test_one_name_comes_before_the_other(one: str, other: str) -> None:
    assert natural(one) < natural(other)
    assert not natural(other) < natural(one)
