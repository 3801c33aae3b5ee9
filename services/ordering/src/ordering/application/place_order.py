"""Place an order."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.application.transaction import Transaction
from ordering.domain.menu import Wish, price
from ordering.domain.order import Order, Party, place
from ordering.domain.refusals import UnknownRestaurant


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """A guest wants to order. `order_id` is new."""

    order_id: UUID
    restaurant: str
    party: Party
    wishes: tuple[Wish, ...]
    actor: str | None = None


async def place_order(command: PlaceOrder, *, transaction: Transaction, at: datetime) -> Order:
    """Place the order at the prices of this moment and give it the day's next number.

    Raises UnknownRestaurant, CannotOrder, OrderTooLarge.
    """
    asked = transaction.restaurant(command.restaurant)
    menu = transaction.menu(command.restaurant, {wish.sku for wish in command.wishes})
    restaurant = await asked
    if restaurant is None:
        raise UnknownRestaurant(command.restaurant)
    lines = price(command.wishes, await menu)
    day = restaurant.business_day(at)
    event = place(
        order_id=command.order_id,
        restaurant=restaurant,
        sequence=await transaction.next_sequence(restaurant.restaurant, day),
        party=command.party,
        lines=lines,
        at=at,
        actor=command.actor,
    )
    transaction.record(event)
    return event.order
