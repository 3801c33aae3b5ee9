"""The mapping from ordering's domain to the published contracts."""

from dataclasses import fields
from datetime import date
from typing import Any, assert_never

import comanda_contracts as contracts
from comanda_contracts.envelope import Instant

from ordering.application.transaction import RecordedEvent
from ordering.domain import order as domain
from ordering.domain.access import AccessWithdrawn, Withdrawal
from ordering.domain.day_closing import DayClosing
from ordering.domain.events import Sender
from ordering.domain.menu import MenuItem, MenuItemEvent, MenuItemSet, MenuItemWithdrawn
from ordering.domain.order import DineIn, Order, OrderEvent, Takeaway
from ordering.domain.restaurant import Restaurant, RestaurantSet

EVENT_MODELS: dict[type[RecordedEvent], type[contracts.Event]] = {
    RestaurantSet: contracts.RestaurantSet,
    MenuItemSet: contracts.MenuItemSet,
    MenuItemWithdrawn: contracts.MenuItemWithdrawn,
    AccessWithdrawn: contracts.AccessWithdrawn,
    domain.OrderPlaced: contracts.OrderPlaced,
    domain.ItemsAdded: contracts.ItemsAdded,
    domain.CancellationRequested: contracts.CancellationRequested,
    domain.CancellationRefused: contracts.CancellationRefused,
    domain.ItemsCancelled: contracts.ItemsCancelled,
    domain.OrderCancelled: contracts.OrderCancelled,
    domain.OrderClosed: contracts.OrderClosed,
    domain.OrderRestated: contracts.OrderRestated,
    domain.OrderForgotten: contracts.OrderForgotten,
}


def restaurant_to_contract(restaurant: Restaurant) -> contracts.Restaurant:
    """The published model of a restaurant."""
    return contracts.Restaurant(
        restaurant=restaurant.slug,
        name=restaurant.name,
        currency=restaurant.currency,
        time_zone=restaurant.time_zone,
        day_begins=f"{restaurant.day_begins:%H:%M}",
        closes_days=restaurant.closes_days,
        version=restaurant.version,
    )


def item_to_contract(item: MenuItem) -> contracts.MenuItem:
    """The published model of a menu item."""
    return contracts.MenuItem.model_validate(item, from_attributes=True)


def withdrawal_to_contract(withdrawal: Withdrawal) -> contracts.Withdrawal:
    """The published model of a withdrawal."""
    return contracts.Withdrawal.model_validate(withdrawal, from_attributes=True)


class DayClosingState(contracts.State):
    """The closing of a restaurant's business days; what it ends says so by its own events."""

    business_day: date
    """The last day that is closed; the days before it are, too."""
    reason: str
    """Why, in the words of who asked."""
    requested_at: Instant
    """When: UTC. What was ordered later is not touched."""
    finished_at: Instant | None
    """When all of it was over: UTC; null while it goes on."""


def closing_to_contract(closing: DayClosing) -> DayClosingState:
    """The model of a closing, as it is answered."""
    return DayClosingState.model_validate(closing, from_attributes=True)


def order_to_contract(order: Order) -> contracts.Order:
    """The published model of an order."""
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


def state_to_contract(
    state: Order | MenuItem | Restaurant | Withdrawal | DayClosing,
) -> contracts.State:
    """The published model of a state."""
    match state:
        case Order():
            return order_to_contract(state)
        case MenuItem():
            return item_to_contract(state)
        case Restaurant():
            return restaurant_to_contract(state)
        case Withdrawal():
            return withdrawal_to_contract(state)
        case DayClosing():
            return closing_to_contract(state)
        case _:
            assert_never(state)


def event_to_contract(event: RecordedEvent) -> contracts.Event:
    """The published model of an event: its fields have the same names, its state is published."""
    values = {each.name: getattr(event, each.name) for each in fields(event)}
    values["by"] = _sender(event.by)
    match event:
        case RestaurantSet(restaurant=restaurant):
            values["restaurant"] = restaurant_to_contract(restaurant)
        case MenuItemEvent(item=item):
            values["item"] = item_to_contract(item)
        case AccessWithdrawn(withdrawal=withdrawal):
            values["withdrawal"] = withdrawal_to_contract(withdrawal)
        case OrderEvent(order=order):
            values["order"] = order_to_contract(order)
        case _:
            assert_never(event)
    return EVENT_MODELS[type(event)](**values)


def _sender(sender: Sender | None) -> contracts.Sender | None:
    if sender is None:
        return None
    return contracts.Sender(subject=sender.subject, role=sender.role, device=sender.device)


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
