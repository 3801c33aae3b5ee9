"""Stores what events say: a batch becomes one write to each store."""

from collections.abc import Sequence

from comanda_contracts import Event, MenuEvent, OrderEvent, RestaurantEvent, TicketEvent
from service_kit.nats.dead_letters import DeadLetter
from service_kit.nats.subscriber import Received
from service_kit.runtime.turns import in_turns

from query.views import menu
from query.views.merge import merge_by_key
from query.views.orders import view as order
from query.views.ports import Stores, Unstorable


async def store(batch: Sequence[Received], stores: Stores) -> list[DeadLetter]:
    """Store what the events say. Returns those that the store can't hold, with the reason.

    Safe to repeat, in any order and at once. Raises StoreUnavailable if it can't be done now; some
    of it may be done then.
    """
    try:
        await _store([received.event for received in batch], stores)
    except (Unstorable, OverflowError) as error:
        if len(batch) == 1:
            return [DeadLetter(batch[0].message, str(error))]
        middle = len(batch) // 2
        before = await store(batch[:middle], stores)
        return before + await store(batch[middle:], stores)
    return []


async def _store(events: Sequence[Event], stores: Stores) -> None:
    """Join what the events say, one view per document, into the stores they belong to."""
    told = [each for each in events if isinstance(each, OrderEvent | TicketEvent)]
    about_orders = [order.view_of(each) async for each in in_turns(told)]
    await stores.orders.merge(merge_by_key(about_orders, lambda view: view.order_id, order.merge))
    items = [menu.view_of(each) for each in events if isinstance(each, MenuEvent)]
    await stores.menus.merge_items(merge_by_key(items, lambda view: view.key, menu.merge))
    restaurants = [menu.view_of(each) for each in events if isinstance(each, RestaurantEvent)]
    await stores.menus.merge_restaurants(
        merge_by_key(restaurants, lambda view: view.key, menu.merge)
    )
