"""Say again what there is: aggregates of which the streams have lost what was said."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.application.transaction import Decision, Transaction
from ordering.domain.menu import MenuItem
from ordering.domain.order import Order
from ordering.domain.preconditions import require_order
from ordering.domain.refusals import UnknownMenuItem, UnknownRestaurant
from ordering.domain.restaurant import Restaurant


@dataclass(frozen=True, slots=True, kw_only=True)
class RestateOrder:
    """Say an order again."""

    restaurant: str
    order_id: UUID


# decision/0066: a loss of streams is made good by restatements
async def restate_order(command: RestateOrder, *, transaction: Transaction, at: datetime) -> Order:
    """Record that the order is as it is, at its next version.

    Repeated it does so once more, with the same effect on whoever hears it. Raises UnknownOrder.
    """

    def decide(current: Order | None) -> Decision[Order]:
        event = require_order(current, command.restaurant, command.order_id).restate(at=at)
        return Decision(event.order, (event,))

    return await transaction.order_to_change(command.order_id).change(decide)


async def restate_item(
    restaurant: str, sku: str, *, transaction: Transaction, at: datetime
) -> MenuItem:
    """Record that the menu item is as it is; as `restate_order`. Raises UnknownMenuItem."""

    def decide(current: MenuItem | None) -> Decision[MenuItem]:
        if current is None:
            raise UnknownMenuItem(sku)
        event = current.restate(at=at)
        return Decision(event.item, (event,))

    return await transaction.item_to_change(restaurant, sku).change(decide)


async def restate_restaurant(slug: str, *, transaction: Transaction, at: datetime) -> Restaurant:
    """Record that the restaurant is as it is; as `restate_order`. Raises UnknownRestaurant."""

    def decide(current: Restaurant | None) -> Decision[Restaurant]:
        if current is None:
            raise UnknownRestaurant(slug)
        event = current.restate(at=at)
        return Decision(event.restaurant, (event,))

    return await transaction.restaurant_to_change(slug).change(decide)
