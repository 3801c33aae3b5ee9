"""What a use case needs of the store: to read, and to record what was decided."""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from datetime import date
from typing import Protocol
from uuid import UUID

from ordering.domain.menu import MenuItem, MenuItemSet, MenuItemWithdrawn
from ordering.domain.order import (
    CancellationRequested,
    ItemsAdded,
    Order,
    OrderClosed,
    OrderPlaced,
    Settled,
)
from ordering.domain.restaurant import Restaurant, RestaurantSet

OrderEvent = OrderPlaced | ItemsAdded | CancellationRequested | Settled | OrderClosed
MenuEvent = MenuItemSet | MenuItemWithdrawn
DomainEvent = OrderEvent | MenuEvent | RestaurantSet


class StoreUnavailable(Exception):
    """The store can't be reached; whether a commit in flight happened is not known."""


class Transaction(Protocol):
    """All or nothing: what is recorded here becomes true, and is told to others, together.

    Ask for everything that can be known from the start before awaiting any of it: the store
    answers such questions together, and takes its locks in one order. Commands share transactions:
    once an aggregate was awaited to be changed, record the event before awaiting anything else.
    """

    def restaurant(self, restaurant: str) -> Awaitable[Restaurant | None]:
        """A restaurant by its slug."""
        ...

    def menu(self, restaurant: str, skus: Collection[str]) -> Awaitable[Mapping[str, MenuItem]]:
        """Those of the items that exist, by sku."""
        ...

    def whole_menu(self, restaurant: str) -> Awaitable[Sequence[MenuItem]]:
        """Every item of a restaurant that is not withdrawn, by category and name."""
        ...

    def restaurant_to_change(self, restaurant: str) -> Awaitable[Restaurant | None]:
        """A restaurant that no other transaction changes until this one ends."""
        ...

    def item_to_change(self, restaurant: str, sku: str) -> Awaitable[MenuItem | None]:
        """A menu item that no other transaction changes until this one ends."""
        ...

    def order_to_change(self, order_id: UUID) -> Awaitable[Order | None]:
        """An order that no other transaction changes until this one ends."""
        ...

    def next_sequence(self, restaurant: str, day: date) -> Awaitable[int]:
        """The place of a new order in the restaurant's business day: 1, 2, 3, …"""
        ...

    def record(self, event: DomainEvent) -> None:
        """Store the event's state, and publish the event, when the transaction is committed."""
        ...

    def note(self, order: Order) -> None:
        """Store what ordering alone knows of an order; it makes no new version and no event."""
        ...
