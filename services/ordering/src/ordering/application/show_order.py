"""Show an order as it was committed."""

from typing import Protocol
from uuid import UUID

from ordering.domain.order import Order
from ordering.domain.preconditions import require_order


class Orders(Protocol):
    """The orders as they were committed."""

    async def one(self, order_id: UUID) -> Order | None:
        """The order with this id; None if there is none. Raises StoreUnavailable."""
        ...


async def show_order(order_id: UUID, restaurant: str, *, orders: Orders) -> Order:
    """Show an order with all that was answered about it before. Raises UnknownOrder."""
    return require_order(await orders.one(order_id), restaurant, order_id)
