"""Applies events to the views: a batch becomes one write to each store."""

from collections.abc import Sequence

from comanda_contracts import Event, MenuEvent, OrderEvent, RestaurantEvent, TicketEvent
from service_kit.nats.failures import Classifier
from service_kit.nats.subscriber import Received
from service_kit.runtime.turns import in_turns

from query.views import menu
from query.views.merge import merge_by_key
from query.views.orders import view as order
from query.views.ports import Stores, StoreUnavailable, Unstorable

FAILURES = Classifier(permanent=(Unstorable,), outages=(StoreUnavailable,))
"""The errors by which an event fails: which are its own fault, and which nobody's.

`storage/client.py` tells them apart by what MongoDB answers.
"""


async def apply_batch(batch: Sequence[Received], stores: Stores) -> None:
    """Merge the events into the views. Safe to repeat, in any order and at once.

    Raises Unstorable if the store can't hold one of them, StoreUnavailable if it can't be done now;
    some of it may be done then.
    """
    try:
        await _merge([received.event for received in batch], stores)
    except OverflowError as error:
        raise Unstorable(str(error)) from error


async def _merge(events: Sequence[Event], stores: Stores) -> None:
    """Merge the events, one view per document, into the stores they belong to."""
    orders = order.BatchFold()
    items: list[menu.MenuView] = []
    restaurants: list[menu.MenuView] = []
    async for event in in_turns(events):
        match event:
            case OrderEvent() | TicketEvent():
                orders.add(event)
            case MenuEvent():
                items.append(menu.view_of(event))
            case RestaurantEvent():
                restaurants.append(menu.view_of(event))
            case _:
                raise TypeError(f"no view is made from {type(event).__name__}")
    await stores.orders.merge([view async for view in in_turns(orders.views())])
    await stores.menus.merge_items(merge_by_key(items, _key, menu.merge))
    await stores.menus.merge_restaurants(merge_by_key(restaurants, _key, menu.merge))


def _key(view: menu.MenuView) -> str:
    return view.key
