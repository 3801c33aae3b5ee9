"""Open a restaurant, or change it."""

from datetime import datetime

from ordering.application.transaction import Transaction
from ordering.domain.restaurant import Restaurant
from ordering.domain.restaurant import set_restaurant as decide


async def set_restaurant(
    wanted: Restaurant, *, transaction: Transaction, at: datetime, actor: str | None
) -> Restaurant:
    """Make the restaurant as wanted. Safe to repeat. Raises CurrencyIsFixed."""
    current = await transaction.restaurant_to_change(wanted.restaurant)
    event = decide(current, wanted, at=at, actor=actor)
    if event is None:
        return current or wanted
    transaction.record(event)
    return event.restaurant
