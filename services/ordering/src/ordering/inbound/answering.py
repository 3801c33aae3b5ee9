"""How the outcome of a use case becomes an answer, over HTTP as over NATS."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from ordering.application.once import Answer, Request
from ordering.application.transaction import Transaction
from ordering.domain.order import Order
from ordering.published import published_order

CREATED = 201

ChangeOrder = Callable[[Transaction], Awaitable[Order]]
"""A use case that changes an order, with everything bound but its transaction."""


class Store(Protocol):
    """Runs use cases in transactions; returns once they are committed."""

    async def run(self, command: Callable[[Transaction], Awaitable[Answer]]) -> Answer:
        """Raises what the use case raises, or StoreUnavailable."""
        ...

    async def run_once(
        self, request: Request, command: Callable[[Transaction], Awaitable[Answer]]
    ) -> Answer:
        """The same, but a request that was answered is answered again. Raises KeyReused too."""
        ...


async def answer(store: Store, request: Request | None, status: int, change: ChangeOrder) -> Answer:
    """Change an order and answer with it; once for each request that has a key.

    Raises what the use case raises, KeyReused, StoreUnavailable.
    """

    async def answering(transaction: Transaction) -> Answer:
        order = await change(transaction)
        return Answer(
            status=status,
            version=order.version,
            location=_location(order) if status == CREATED else None,
            body=published_order(order).model_dump_json(),
        )

    if request is None:
        return await store.run(answering)
    return await store.run_once(request, answering)


def _location(order: Order) -> str:
    return f"/v1/restaurants/{order.restaurant}/orders/{order.order_id}"
