"""Menu items and restaurants: of each the newest state, merged as the order view's are."""

from dataclasses import dataclass
from typing import assert_never

from comanda_contracts import MenuEvent, RestaurantEvent

from query.views.merge import AggregateState, newer

UNKNOWN_TO_1_0 = {"day_begins", "closes_days"}
"""Fields that no answer needs: left out, documents are the same whichever release wrote them."""


@dataclass(frozen=True, slots=True)
class MenuView:
    """The newest known state of one menu item or restaurant."""

    key: str
    """`<restaurant>/<sku>`, or the restaurant's slug."""
    restaurant: str
    state: AggregateState


def view_of(event: MenuEvent | RestaurantEvent) -> MenuView:
    """The view that knows this event alone."""
    fields = event.state.model_dump(mode="json", exclude=UNKNOWN_TO_1_0)
    state = {"version": event.state.version, **fields}
    match event:
        case MenuEvent():
            restaurant = event.item.restaurant
            return MenuView(f"{restaurant}/{event.key}", restaurant, state)
        case RestaurantEvent():
            restaurant = event.restaurant.restaurant
            return MenuView(restaurant, restaurant, state)
        case _:
            assert_never(event)


def merge(one: MenuView, other: MenuView) -> MenuView:
    """The newer of two views of one item or restaurant."""
    return MenuView(one.key, one.restaurant, newer(one.state, other.state))
