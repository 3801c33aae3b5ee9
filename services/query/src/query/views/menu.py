"""Menu items and restaurants: of each the newest state, by the same join as the order view's."""

from dataclasses import dataclass

from comanda_contracts import MenuEvent, RestaurantEvent

from query.views.merge import AggregateState, newer


@dataclass(frozen=True, slots=True)
class MenuView:
    """The newest known state of one menu item or restaurant."""

    key: str
    """`<restaurant>/<sku>`, or the restaurant's slug."""
    restaurant: str
    state: AggregateState


def view_of(event: MenuEvent | RestaurantEvent) -> MenuView:
    """The view that knows this event alone."""
    state, restaurant = event.state, event.state.restaurant
    key = f"{restaurant}/{event.key}" if isinstance(event, MenuEvent) else restaurant
    return MenuView(key, restaurant, {"version": state.version, **state.model_dump(mode="json")})


def merge(one: MenuView, other: MenuView) -> MenuView:
    """The newer of two views of one item or restaurant."""
    return MenuView(one.key, one.restaurant, newer(one.state, other.state))
