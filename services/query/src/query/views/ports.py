"""The ports of the views: the API and the projection ask these, storage and live feeds serve them.

`Page` and `LiveUpdate` hand on orders as JSON bytes, not as documents: the same order is in many
pages and feeds, and a store that makes its JSON once (`render`, passed in at the bootstrap) spares
decoding and encoding it for each reader.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from comanda_contracts import Event

from query.views.board.view import Board
from query.views.menu import MenuView
from query.views.merge import Document
from query.views.orders.list_query import ListQuery, PagePosition
from query.views.orders.view import OrderView
from query.views.sales.chain import ChainSales
from query.views.sales.view import SalesSummary, Span


class StoreUnavailable(Exception):
    """The store can't be reached, or does not answer in time."""


class TimedOut(StoreUnavailable):
    """The store has not answered in time: it can't be reached, or was asked for too much."""


class TooSlow(StoreUnavailable):
    """The store can be reached, but this question takes it too long: others are answered."""


class Unstorable(ValueError):
    """An event that the store can't hold, such as one with a number beyond 64 bits."""


class DamagedView(Exception):
    """A stored order that can't be shown: its document lacks what no default stands for."""

    def __init__(self, order_id: str) -> None:
        super().__init__(order_id)
        self.order_id = order_id


class PageExpired(Exception):
    """The snapshot that a list was first read from is not there any more."""


class Orders(Protocol):
    """The order views. Each method raises StoreUnavailable if it can't be done now."""

    async def merge(self, views: Sequence[OrderView]) -> None:
        """Merge each view, one per order, into the stored one. Safe to repeat and to run at once.

        Once it has succeeded, sales will be summed up anew where these orders change them.
        Raises Unstorable if one of them can't be stored; the others may be or not.
        """

    async def forget(self, view: OrderView) -> None:
        """Merge a view that tells of nothing but that the order is forgotten, also into what is
        kept for a rollback, and is otherwise written no more. Safe to repeat.
        """

    async def one(self, order_id: str) -> Document | None:
        """The stored document of one order; None if there is none.

        Raises DamagedView if it can't be decoded.
        """

    async def board(self, restaurant: str) -> "BoardReading":
        """The board as it is now."""


class BoardReading(NamedTuple):
    """A board that was read."""

    board: Board
    is_current: bool
    """Whether it has all that was stored before; else it may be older than one read before."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some orders of a list."""

    orders: list[bytes]
    """The JSON of each."""
    end: PagePosition | None
    """The position of its last order; None if no order comes after it."""
    left_out: Sequence[str] = ()
    """The ids of its orders that can't be shown, because their documents are damaged."""


class Lists(Protocol):
    """Queries over many orders. Each raises StoreUnavailable if it can't be done now.

    With `only_current` it can't be while it is not certain that the answer has all that was stored.
    """

    async def version(self, restaurant: str, order_id: str) -> int:
        """The version of an order that any list has from now on; 0 if it is not known there."""

    async def numbered(self, restaurant: str, day: str, number: str) -> Document | None:
        """The order with this number on a business day (ISO 8601)."""

    async def page(
        self,
        list_query: ListQuery,
        after: PagePosition | None,
        limit: int,
        *,
        only_current: bool = False,
    ) -> Page:
        """The first orders of a list, or those after the end of a page.

        An order that is in the list all the while is on exactly one of its pages, whatever comes
        and changes meanwhile. A list by total is therefore read as it was when it was first asked
        for; raises PageExpired if that is some minutes ago, or of an older generation.
        """

    async def seated(self, restaurant: str, *, only_current: bool = False) -> list[Document]:
        """The active orders of guests at tables, with the fields that `occupied_tables` uses."""


class Menus(Protocol):
    """Restaurants and what they offer.

    Each method raises StoreUnavailable if it can't be done now. With `only_current` it can't be
    while it is not certain that the answer has all that was stored.
    """

    async def merge_items(self, items: Sequence[MenuView]) -> None:
        """Store each item unless a newer version is stored; as safe as `Orders.merge`."""

    async def merge_restaurants(self, restaurants: Sequence[MenuView]) -> None:
        """Store each restaurant unless a newer version is stored; as safe as `Orders.merge`."""

    async def restaurant(self, slug: str, *, only_current: bool = False) -> Document | None:
        """The restaurant's state; None if it is not known."""

    async def restaurants(
        self, named: Sequence[str] | None, after: str, limit: int
    ) -> list[Document]:
        """The states of the first restaurants whose slugs come after `after`, by slug.

        Of those that are named, unless that is None.
        """

    async def categories(self, slug: str) -> dict[str, str]:
        """The category of each sku that is or was on the menu."""

    async def items(self, slug: str, *, only_current: bool = False) -> list[Document]:
        """The states of the items that are not withdrawn, by category and name."""


class Sales(Protocol):
    """Sales, summed up before anybody asks.

    Each raises StoreUnavailable if it can't be done.
    """

    async def days(self, span: Span, *, items: bool) -> SalesSummary:
        """The sales of each business day of the span; of each item too if `items`."""

    async def hours(self, span: Span, *, items: bool) -> SalesSummary:
        """The sales of each hour of the span; of each item too if `items`."""

    async def chain(
        self, restaurants: Sequence[str], first_day: str, last_day: str, *, subject: str
    ) -> ChainSales:
        """The sums of each of these restaurants over business days, both of which are part of it.

        Raises TooSlow if they are too many, or others before it take too long: `subject`, who asks,
        has one sum made at a time.
        """

    async def top(self, restaurant: str, day: str, limit: int) -> Document | None:
        """The best items of one day, with `as_of`; None if nothing is summed up yet."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A stream that the views are made from: when it was made, and how far it was projected."""

    created: str
    sequence: int
    is_lost: bool
    """Whether the views that were made from it are gone: only a rebuild brings them back."""
    stored: int | None = None
    """The last message whose effect was stored; None of a release that noted none."""
    looks: int = 0
    """How often the projectors have looked at it: it never goes back, but in an older copy."""


class Checkpoints(Protocol):
    """What the store knows of the streams. Each raises StoreUnavailable if it can't be done."""

    async def known(self) -> dict[str, Checkpoint]:
        """The checkpoint of each stream that has one."""

    async def add(self, stream: str, created: str, sequence: int, *, is_lost: bool) -> None:
        """Set the checkpoint of a stream that has none; another replica's stays."""

    async def advance(self, stream: str, created: str, sequence: int) -> None:
        """Set the checkpoint of this stream further, never back. One that is lost stays so."""

    async def note_stored(self, stream: str, sequence: int) -> None:
        """Note that the effect of this message is stored, before it is acknowledged."""

    async def count_look(self, stream: str) -> int:
        """Count a look at the checkpoint of this stream; returns the number of them, or 0."""

    async def replace(self, stream: str, created: str, sequence: int) -> None:
        """Set the checkpoint of a stream from which the views were just made anew."""

    async def lose(self, stream: str) -> None:
        """Note that the views made from this stream are gone, or older than what was projected."""

    async def has_views(self) -> bool:
        """Whether there is any view at all."""

    async def has_effect_of(self, event: Event) -> bool:
        """Whether the views have the state that the event told, or a newer one."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores that events are projected into."""

    orders: Orders
    sales: Sales
    menus: Menus


Result = TypeVar("Result")


def guests_of(restaurant: str) -> str:
    """The name of a restaurant's guests, which no restaurant has: their waits are not its own."""
    return f"{restaurant}/guests"


class VersionWaiter(Protocol):
    """Lets a reader wait until the view of an order has changed."""

    async def read_until(
        self,
        payer: str,
        order_id: str,
        read: Callable[[], Awaitable[Result]],
        is_enough: Callable[[Result], bool],
        timeout_s: float,
    ) -> Result:
        """Read, and again whenever the order changes, until it `is_enough` or time has run out.

        Returns the last result. What `read` raises ends the wait. Where too many wait already, of
        the `payer`, which is a restaurant or its guests, or of all, the first result is the last.
        """


@dataclass(frozen=True, slots=True, weakref_slot=True)
class LiveUpdate:
    """Orders as JSON: in a snapshot all that are watched, else the one that has changed."""

    position: str
    """A reader who comes back with it is told what changed after it."""
    orders: Sequence[bytes]
    is_snapshot: bool
    order_ids: Sequence[str] = ()
    """The id of each."""

    @property
    def size_bytes(self) -> int:
        """The bytes of its orders."""
        return sum(map(len, self.orders))


Feed = AbstractAsyncContextManager[AsyncIterator[LiveUpdate | None]]
"""Updates, and None while there are none; it ends when its reader is too slow."""


class LiveOrders(Protocol):
    """Orders as they change, whichever replica wrote the change.

    Entering raises StoreUnavailable, and the kit's FeedsClosed once the service is about to end.
    """

    def order(self, restaurant: str, order_id: str) -> Feed:
        """The order, as a list of one or none if it is not known, then each change of it."""

    def active(self, restaurant: str, after: str | None) -> Feed:
        """The restaurant's active orders, then each order that changes.

        After a position only what changed since, if that is known. An order is told again only if
        it is another than it was when it was told last.
        """
