"""The order that a command is about."""

from collections.abc import Awaitable
from uuid import UUID

from ordering.domain.order import Order
from ordering.domain.refusals import UnknownOrder


async def known(asked: Awaitable[Order | None], restaurant: str, order_id: UUID) -> Order:
    """The order that was asked for. Raises UnknownOrder if this restaurant has no such order."""
    order = await asked
    if order is None or order.restaurant != restaurant:
        raise UnknownOrder(order_id)
    return order
