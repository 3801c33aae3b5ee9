"""How the outcome of a use case becomes an answer, over HTTP as over NATS."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from ordering.application.once import Answer, Request
from ordering.application.transaction import Transaction
from ordering.domain.menu import MenuItem
from ordering.domain.order import Order
from ordering.domain.restaurant import Restaurant
from ordering.published import published

CREATED = 201

Result = TypeVar("Result")

State = Order | MenuItem | Restaurant

Change = Callable[[Transaction], Awaitable[State]]
"""A use case that changes something, with everything bound but its transaction."""


class Store(Protocol):
    """Runs use cases in transactions; returns once they are committed."""

    async def run(self, command: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Raises what the use case raises, or StoreUnavailable."""
        ...

    async def run_once(
        self, request: Request, command: Callable[[Transaction], Awaitable[Answer]]
    ) -> Answer:
        """The same, but a request that was answered is answered again. Raises KeyReused too."""
        ...


async def answer(store: Store, request: Request | None, status: int, change: Change) -> Answer:
    """Change something and answer with it; once for each request that has a key.

    Raises what the use case raises, KeyReused, StoreUnavailable.
    """

    async def answering(transaction: Transaction) -> Answer:
        state = await change(transaction)
        return Answer(
            status=status,
            version=state.version,
            location=_location(state) if status == CREATED else None,
            body=published(state).model_dump_json(),
        )

    if request is None:
        return await store.run(answering)
    return await store.run_once(request, answering)


def _location(state: State) -> str | None:
    if isinstance(state, Order):
        return f"/v1/restaurants/{state.restaurant}/orders/{state.order_id}"
    return None
