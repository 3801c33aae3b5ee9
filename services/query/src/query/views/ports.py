"""The views' store by its role: what inbound asks of it, and what outbound does."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from query.views.board.view import Board
from query.views.menu import MenuView
from query.views.merge import Document
from query.views.orders.list_query import ListQuery, PagePosition
from query.views.orders.view import OrderView
from query.views.sales.view import SalesSummary, Span


class StoreUnavailable(Exception):
    """The store can't be reached, or does not answer in time."""


class Unstorable(ValueError):
    """An event that the store can't hold, such as one with a number beyond 64 bits."""


class PageExpired(Exception):
    """What a list was first read from is not there any more."""


class Orders(Protocol):
    """The order views. Each method raises StoreUnavailable if it can't be done now."""

    async def merge(self, views: Sequence[OrderView]) -> None:
        """Join each view, one per order, into what is stored. Safe to repeat and to run at once.

        Once it has succeeded, sales will be summed up anew where these orders change them.
        Raises Unstorable if one of them can't be stored; the others may be or not.
        """

    async def one(self, order_id: str) -> Document | None:
        """What is stored of one order; None if nothing is."""

    async def board(self, restaurant: str) -> Board:
        """What is being prepared and what is ready now."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some orders of a list."""

    orders: list[bytes]
    """The JSON of each."""
    place: PagePosition | None
    """Where the page ends; None if nothing comes after it."""


class Lists(Protocol):
    """Questions that many orders are looked through for. Each raises StoreUnavailable."""

    async def version(self, restaurant: str, order_id: str) -> int:
        """The version of an order that any list has from now on; 0 if it is not known there."""

    async def numbered(self, restaurant: str, day: str, number: str) -> Document | None:
        """The order with this number on a business day (ISO 8601)."""

    async def page(self, listing: ListQuery, after: PagePosition | None, limit: int) -> Page:
        """The first orders of a list, or those after a place where a page of it ended.

        An order that is in the list all the while is on exactly one of its pages, whatever comes
        and changes meanwhile. A list by total is therefore read as it was when it was first asked
        for; raises PageExpired if that is some minutes ago, or of an older generation.
        """

    async def seated(self, restaurant: str) -> list[Document]:
        """The active orders of guests at tables: what `views/orders/tables.py` shows of them."""


class Menus(Protocol):
    """Restaurants and what they offer.

    Each method raises StoreUnavailable if it can't be done now.
    """

    async def merge_items(self, items: Sequence[MenuView]) -> None:
        """Store each item unless a newer version is stored; as safe as `Orders.merge`."""

    async def merge_restaurants(self, restaurants: Sequence[MenuView]) -> None:
        """Store each restaurant unless a newer version is stored; as safe as `Orders.merge`."""

    async def restaurant(self, slug: str) -> Document | None:
        """The restaurant's state; None if it is not known."""

    async def categories(self, slug: str) -> dict[str, str]:
        """The category of each sku that is or was on the menu."""

    async def items(self, slug: str) -> list[Document]:
        """The states of the items that are not withdrawn, by category and name."""


class Sales(Protocol):
    """What was sold, summed up ahead of the question.

    Each raises StoreUnavailable if it can't be done.
    """

    async def days(self, span: Span, *, items: bool) -> SalesSummary:
        """The business days of the span, with what was sold of each item if that is wanted."""

    async def hours(self, span: Span, *, items: bool) -> SalesSummary:
        """The hours of the span, with what was sold of each item if that is wanted."""

    async def top(self, restaurant: str, day: str, limit: int) -> Document | None:
        """The best items of one day, with `as_of`; None if nothing is summed up yet."""


@dataclass(frozen=True, slots=True)
class Stores:
    """All that events are projected into."""

    orders: Orders
    sales: Sales
    menus: Menus


Result = TypeVar("Result")


class VersionWaiter(Protocol):
    """Lets a reader wait until the view of an order has changed."""

    async def read_until(
        self,
        order_id: str,
        read: Callable[[], Awaitable[Result]],
        is_enough: Callable[[Result], bool],
        timeout_s: float,
    ) -> Result:
        """Read, and again whenever the order changes, until it `is_enough` or time has run out.

        Returns the last result. What `read` raises ends the wait.
        """


@dataclass(frozen=True, slots=True)
class LiveUpdate:
    """Orders as they are now, as JSON: all that are watched, or one that has changed."""

    position: str
    """Who comes back with it is told what changed after it."""
    orders: Sequence[bytes]
    is_snapshot: bool


Feed = AbstractAsyncContextManager[AsyncIterator[LiveUpdate | None]]
"""News for as long as they are read, None while there are none; they end when one is too slow."""


class LiveOrders(Protocol):
    """Orders as they change, whichever replica wrote the change.

    Entering raises StoreUnavailable.
    """

    def order(self, restaurant: str, order_id: str) -> Feed:
        """The order, as a list of one or none if it is not known, then each change of it."""

    def active(self, restaurant: str, after: str | None) -> Feed:
        """The restaurant's active orders, then each order that changes.

        After a position only what changed since, if that is known.
        """
