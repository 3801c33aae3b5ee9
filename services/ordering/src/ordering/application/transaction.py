"""The port of the use cases to the store: they read, and have their decisions recorded."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from ordering.domain.access import AccessWithdrawn, Withdrawal
from ordering.domain.day_closing import DayClosing
from ordering.domain.menu import MenuItem, MenuItemEvent
from ordering.domain.order import Order, OrderEvent, OrderPlaced
from ordering.domain.restaurant import Restaurant, RestaurantSet

State = TypeVar("State")

RecordedEvent = OrderEvent | MenuItemEvent | RestaurantSet | AccessWithdrawn
"""The events that can be recorded: one base class for each aggregate that has several."""


class StoreUnavailable(Exception):
    """The store can't be reached; whether a commit in flight happened is not known."""


class CommandBlocked(StoreUnavailable):
    """Another session holds what the command needs; the store takes the commands of others."""


@dataclass(frozen=True, slots=True)
class Decision(Generic[State]):
    """A decision about an aggregate: its state from now on, and the events that tell of it.

    A new state without an event is stored and told to nobody; the same state changes nothing.
    """

    state: State
    events: tuple[RecordedEvent, ...] = ()


class Changeable(Protocol[State]):
    """An aggregate that no other transaction changes until this one ends."""

    async def change(self, decide: Callable[[State | None], Decision[State]]) -> State:
        """Record what `decide` makes of the aggregate as it is now; return its new state.

        `decide` gets None if there is no such aggregate. Commands share transactions, so the
        aggregate may have been changed by another command since it was loaded: `decide` is a plain
        function, so that nothing can be awaited between its look at the newest state and the
        recording of its decision. Raises what `decide` raises; then nothing is recorded.
        """
        ...


class Transaction(Protocol):
    """All or nothing: what is recorded here becomes true, and is told to others, together.

    Ask for everything that can be known from the start before awaiting any of it: the store
    answers such questions together, and takes its locks in one order.
    """

    def restaurant(self, slug: str) -> Awaitable[Restaurant | None]:
        """A restaurant as it was committed."""
        ...

    def menu(self, restaurant: str, skus: Collection[str]) -> Awaitable[Mapping[str, MenuItem]]:
        """Those of the items that exist, by sku."""
        ...

    def restaurant_to_change(self, slug: str) -> Changeable[Restaurant]:
        """A restaurant, to be opened or changed."""
        ...

    def item_to_change(self, restaurant: str, sku: str) -> Changeable[MenuItem]:
        """A menu item, to be made or changed."""
        ...

    def withdrawal_to_change(self, restaurant: str, subject_hash: str) -> Changeable[Withdrawal]:
        """The withdrawal of a subject's tokens, to be made or moved."""
        ...

    def withdrawn_subjects(self, restaurant: str) -> Awaitable[int | None]:
        """How many subjects have withdrawals there, as it was committed; None of none."""
        ...

    def day_closing_to_change(self, restaurant: str) -> Changeable[DayClosing]:
        """The last closing of a restaurant's days, to be begun, widened or finished."""
        ...

    def order_to_change(self, order_id: UUID) -> Changeable[Order]:
        """An order, to be changed."""
        ...

    def next_sequence(self, restaurant: str, day: date) -> Awaitable[int]:
        """The position of a new order in the restaurant's business day: 1, 2, 3, …"""
        ...

    def add(self, event: OrderPlaced) -> None:
        """Record an order with a new id, which nobody else can be changing."""
        ...
