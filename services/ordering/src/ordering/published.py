"""What ordering tells the world, in the words of the published contracts."""

from dataclasses import fields
from typing import Any

import comanda_contracts as contracts

from ordering.application.transaction import DomainEvent
from ordering.domain import order as domain
from ordering.domain.menu import MenuItem, MenuItemSet, MenuItemWithdrawn
from ordering.domain.order import DineIn, Order
from ordering.domain.restaurant import Restaurant, RestaurantSet

EVENTS: dict[type[DomainEvent], type[contracts.Event]] = {
    RestaurantSet: contracts.RestaurantSet,
    MenuItemSet: contracts.MenuItemSet,
    MenuItemWithdrawn: contracts.MenuItemWithdrawn,
    domain.OrderPlaced: contracts.OrderPlaced,
    domain.ItemsAdded: contracts.ItemsAdded,
    domain.CancellationRequested: contracts.CancellationRequested,
    domain.CancellationRefused: contracts.CancellationRefused,
    domain.ItemsCancelled: contracts.ItemsCancelled,
    domain.OrderCancelled: contracts.OrderCancelled,
    domain.OrderClosed: contracts.OrderClosed,
}


def published_restaurant(restaurant: Restaurant) -> contracts.Restaurant:
    """A restaurant as others see it."""
    return contracts.Restaurant.model_validate(restaurant, from_attributes=True)


def published_item(item: MenuItem) -> contracts.MenuItem:
    """A menu item as others see it."""
    return contracts.MenuItem.model_validate(item, from_attributes=True)


def published_order(order: Order) -> contracts.Order:
    """An order as others see it."""
    return contracts.Order(
        order_id=order.order_id,
        restaurant=order.restaurant,
        number=order.number,
        business_day=order.business_day,
        **_party(order),
        currency=order.currency,
        status=contracts.OrderStatus(order.status),
        rounds=tuple(
            contracts.Round.model_validate(each, from_attributes=True) for each in order.rounds
        ),
        total=order.total,
        placed_at=order.placed_at,
        version=order.version,
        cancellation=_cancellation(order),
    )


def published(state: Order | MenuItem | Restaurant) -> contracts.State:
    """A state as others see it."""
    match state:
        case Order():
            return published_order(state)
        case MenuItem():
            return published_item(state)
        case _:
            return published_restaurant(state)


def published_event(event: DomainEvent) -> contracts.Event:
    """An event as others see it: what is its own under the same name, its state as published."""
    own = {each.name: getattr(event, each.name) for each in fields(event)}
    match event:
        case RestaurantSet(restaurant=restaurant):
            own["restaurant"] = published_restaurant(restaurant)
        case MenuItemSet(item=item) | MenuItemWithdrawn(item=item):
            own["item"] = published_item(item)
        case _:
            own["order"] = published_order(event.order)
    return EVENTS[type(event)](**own)


def _cancellation(order: Order) -> contracts.Cancellation | None:
    if order.cancellation is None:
        return None
    return contracts.Cancellation.model_validate(order.cancellation, from_attributes=True)


def _party(order: Order) -> dict[str, Any]:
    party = order.party
    if isinstance(party, DineIn):
        return {
            "channel": contracts.Channel.DINE_IN,
            "table": party.table,
            "guests": party.guests,
        }
    return {
        "channel": contracts.Channel.TAKEAWAY,
        "customer": party.customer,
        "phone": party.phone,
    }
