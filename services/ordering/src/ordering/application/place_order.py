"""Place an order."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.application.transaction import Transaction
from ordering.domain.events import Sender
from ordering.domain.menu import RequestedLine, price
from ordering.domain.order import Order, Party, place
from ordering.domain.refusals import UnknownRestaurant


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """A guest wants to order. `order_id` is new."""

    order_id: UUID
    restaurant: str
    party: Party
    requested_lines: tuple[RequestedLine, ...]
    actor: str | None = None
    by: Sender | None = None


async def place_order(command: PlaceOrder, *, transaction: Transaction, at: datetime) -> Order:
    """Place the order at the prices of this moment and give it the day's next number.

    Raises UnknownRestaurant, CannotOrder, OrderTooLarge.
    """
    pending_restaurant = transaction.restaurant(command.restaurant)
    skus = {each.sku for each in command.requested_lines}
    pending_menu = transaction.menu(command.restaurant, skus)
    restaurant = await pending_restaurant
    if restaurant is None:
        raise UnknownRestaurant(command.restaurant)
    lines = price(command.requested_lines, await pending_menu)
    day = restaurant.business_day(at)
    event = place(
        order_id=command.order_id,
        restaurant=restaurant,
        sequence=await transaction.next_sequence(restaurant.slug, day),
        party=command.party,
        lines=lines,
        at=at,
        actor=command.actor,
        by=command.by,
    )
    transaction.add(event)
    return event.order
