"""One order's whole way: placed, cooked, served and shown."""

import pytest

from tests.e2e.restaurant import Refused, Restaurant

pytestmark = pytest.mark.xdist_group("stack")


def test_a_dine_in_order_from_the_first_round_to_the_bill(restaurant: Restaurant) -> None:
    order = restaurant.dine_in(table="7", quantity=2)
    assert restaurant.view(order)["status"] == "placed"

    restaurant.cook(order, 1, "start")
    restaurant.shows(order, "preparing")
    restaurant.until(lambda: on_the_board(restaurant) == {"preparing": ["A-001"], "ready": []})
    restaurant.cook(order, 1, "ready")
    restaurant.shows(order, "ready")
    restaurant.until(lambda: on_the_board(restaurant) == {"preparing": [], "ready": ["A-001"]})
    restaurant.cook(order, 1, "serve")
    restaurant.shows(order, "served")

    order = restaurant.add_round(order)
    restaurant.shows(order, "preparing")
    restaurant.cook(order, 2)
    restaurant.shows(order, "served")
    restaurant.until(lambda: restaurant.read("/orders?active=true")["orders"])
    order = close_once_heard(restaurant, order)
    view = restaurant.shows(order, "closed")

    assert view["total"] == 3 * 850 + 2 * 350
    assert (view["table"], view["guests"], view["number"]) == ("7", 2, "A-001")
    assert [each["ticket"]["status"] for each in view["rounds"]] == ["served", "served"]
    assert [(entry["source"], entry["event"]) for entry in view["timeline"]] == [
        ("ordering", "placed"),
        ("serving", "queued"),
        ("serving", "started"),
        ("serving", "ready"),
        ("serving", "served"),
        ("ordering", "items-added"),
        ("serving", "queued"),
        ("serving", "started"),
        ("serving", "ready"),
        ("serving", "served"),
        ("ordering", "closed"),
    ]
    assert restaurant.read("/orders?active=true")["orders"] == []
    assert restaurant.queue() == []


def test_a_takeaway_order_is_over_when_it_is_handed_over(restaurant: Restaurant) -> None:
    order = restaurant.takeaway("Ada")
    waiting = restaurant.view(order)

    restaurant.cook(order, 1)
    view = restaurant.shows(order | {"version": 2}, "closed")

    assert (waiting["customer"], waiting["status"]) == ("Ada", "placed")
    assert (view["version"], view["rounds"][0]["ticket"]["status"]) == (2, "served")


def test_an_order_the_kitchen_has_not_begun_is_cancelled(restaurant: Restaurant) -> None:
    order = restaurant.add_round(restaurant.dine_in())

    asked = restaurant.cancel(order)
    view = restaurant.shows(asked, "cancelled")

    assert asked["status"] == "cancelling"
    assert (view["total"], view["version"]) == (0, 4)
    assert [each["ticket"]["status"] for each in view["rounds"]] == ["voided", "voided"]
    restaurant.until(lambda: restaurant.queue() == [])
    with pytest.raises(Refused, match="is cancelled"):
        restaurant.add_round(order)


def test_of_a_cancelled_order_the_guests_get_and_pay_what_was_begun(restaurant: Restaurant) -> None:
    order = restaurant.add_round(restaurant.takeaway())
    restaurant.cook(order, 1, "start")
    restaurant.until(lambda: len(restaurant.queue()) == 2)

    asked = restaurant.cancel(order)
    view = restaurant.shows(asked | {"version": 4}, "preparing")
    restaurant.cook(order, 1, "ready", "serve")
    closed = restaurant.shows(asked | {"version": 5}, "closed")

    assert [each["voided"] for each in view["rounds"]] == [False, True]
    assert view["total"] == closed["total"] == 850 + 350
    assert [entry["event"] for entry in closed["timeline"] if entry["source"] == "ordering"] == [
        "placed",
        "items-added",
        "cancellation-requested",
        "cancellation-refused",
        "closed",
    ]


def test_the_kitchens_queue_is_in_the_order_of_ordering(restaurant: Restaurant) -> None:
    orders = [restaurant.takeaway() for _ in range(5)]
    restaurant.until(lambda: len(restaurant.queue()) == 5)

    restaurant.cook(orders[2], 1)
    restaurant.until(lambda: len(restaurant.queue()) == 4)

    expected = [order["number"] for order in orders if order is not orders[2]]
    assert [ticket["number"] for ticket in restaurant.queue()] == expected


def test_guests_see_the_menu(restaurant: Restaurant) -> None:
    restaurant.until(lambda: len(menu(restaurant)) == 2)
    restaurant.put("/menu/cola", {"name": "Cola", "category": "Drinks", "price": 400})

    restaurant.until(lambda: menu(restaurant) == [("cola", 400), ("margherita", 850)])


def menu(restaurant: Restaurant) -> list[tuple[str, int]]:
    try:
        items = restaurant.read("/menu")["items"]
    except Refused as refused:
        if refused.code != "unknown-restaurant":  # of which query has not heard yet
            raise
        return []
    return [(item["sku"], item["price"]) for item in items]


def close_once_heard(restaurant: Restaurant, order: dict[str, object]) -> dict[str, object]:
    """Close the order; ordering may hear only a moment later that its last round was served."""
    closed: dict[str, object] = {}

    def is_closed() -> bool:
        nonlocal closed
        try:
            closed = restaurant.close(order)
        except Refused as refusal:
            return refusal.code != "still-in-the-kitchen"
        return True

    restaurant.until(is_closed)
    return closed


def on_the_board(restaurant: Restaurant) -> dict[str, list[str]]:
    """The numbers on the board."""
    board = restaurant.read("/board")
    return {name: [each["number"] for each in orders] for name, orders in board.items()}
