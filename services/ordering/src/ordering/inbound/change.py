"""Carrying out a use case that changes something, and its answer, over HTTP as over NATS."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar, assert_never

from ordering.application.keyed_request import Answer, KeyedRequest
from ordering.application.transaction import Transaction
from ordering.contract import state_to_contract
from ordering.domain.access import Withdrawal
from ordering.domain.day_closing import DayClosing
from ordering.domain.menu import MenuItem
from ordering.domain.order import Order
from ordering.domain.restaurant import Restaurant

CREATED = 201

Result = TypeVar("Result")

State = Order | MenuItem | Restaurant | Withdrawal | DayClosing

Change = Callable[[Transaction], Awaitable[State]]
"""A use case that changes something, with everything bound but its transaction."""


class Store(Protocol):
    """Runs use cases in transactions; returns once they are committed."""

    async def run(
        self,
        command: Callable[[Transaction], Awaitable[Result]],
        *,
        restaurant: str = "",
        comes_again: bool = False,
    ) -> Result:
        """Restaurants have turns; one that `comes_again` by itself waits for no lock.

        Raises what the use case raises, or StoreUnavailable.
        """
        ...

    async def run_once(
        self,
        request: KeyedRequest,
        command: Callable[[Transaction], Awaitable[Answer]],
        *,
        comes_again: bool = False,
    ) -> Answer:
        """The same, but a request that was answered is answered again. Raises KeyReused too."""
        ...

    def is_blocked(self, restaurant: str) -> bool:
        """Whether something is in the way of this restaurant's commands, and of no other's."""
        ...


async def carry_out(
    store: Store,
    restaurant: str,
    request: KeyedRequest | None,
    status: int,
    change: Change,
    *,
    comes_again: bool = False,
) -> Answer:
    """Change something of a restaurant and answer with its new state; once for each keyed request.

    One that `comes_again` by itself is given back as soon as a lock is seen in its way.
    Raises what the use case raises, KeyReused, StoreUnavailable.
    """

    async def answered(transaction: Transaction) -> Answer:
        state = await change(transaction)
        return Answer(
            status=status,
            version=state.version,
            location=_location(state) if status == CREATED else None,
            body=state_to_contract(state).model_dump_json(),
        )

    if request is None:
        return await store.run(answered, restaurant=restaurant, comes_again=comes_again)
    return await store.run_once(request, answered, comes_again=comes_again)


def _location(state: State) -> str | None:
    """The path of what was created; others are where the client says."""
    match state:
        case Order(restaurant=restaurant, order_id=order_id):
            return f"/v1/restaurants/{restaurant}/orders/{order_id}"
        case MenuItem() | Restaurant() | Withdrawal() | DayClosing():
            return None
        case _:
            assert_never(state)
