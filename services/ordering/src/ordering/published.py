"""Ordering's states and events in the words of the published contracts."""

from dataclasses import fields
from typing import Any, assert_never

import comanda_contracts as contracts

from ordering.application.transaction import RecordedEvent
from ordering.domain import order as domain
from ordering.domain.menu import MenuItem, MenuItemEvent, MenuItemSet, MenuItemWithdrawn
from ordering.domain.order import DineIn, Order, OrderEvent, Takeaway
from ordering.domain.restaurant import Restaurant, RestaurantSet

EVENTS: dict[type[RecordedEvent], type[contracts.Event]] = {
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
    return contracts.Restaurant(
        restaurant=restaurant.slug,
        name=restaurant.name,
        currency=restaurant.currency,
        time_zone=restaurant.time_zone,
        version=restaurant.version,
    )


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
        case Restaurant():
            return published_restaurant(state)
        case _:
            assert_never(state)


def published_event(event: RecordedEvent) -> contracts.Event:
    """An event as others see it: its fields by the same names, its state as published."""
    values = {each.name: getattr(event, each.name) for each in fields(event)}
    match event:
        case RestaurantSet(restaurant=restaurant):
            values["restaurant"] = published_restaurant(restaurant)
        case MenuItemEvent(item=item):
            values["item"] = published_item(item)
        case OrderEvent(order=order):
            values["order"] = published_order(order)
        case _:
            assert_never(event)
    return EVENTS[type(event)](**values)


def _cancellation(order: Order) -> contracts.Cancellation | None:
    if order.cancellation is None:
        return None
    return contracts.Cancellation.model_validate(order.cancellation, from_attributes=True)


def _party(order: Order) -> dict[str, Any]:
    match order.party:
        case DineIn(table=table, guests=guests):
            return {"channel": contracts.Channel.DINE_IN, "table": table, "guests": guests}
        case Takeaway(customer=customer, phone=phone):
            return {"channel": contracts.Channel.TAKEAWAY, "customer": customer, "phone": phone}
        case party:
            assert_never(party)
