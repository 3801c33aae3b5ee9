"""The kinds of documents that follow from the streams, and how each does."""

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import bson
from bson.errors import BSONError
from comanda_contracts import Event, MenuEvent, OrderEvent, RestaurantEvent, TicketEvent, subjects
from comanda_contracts.streams import MENU, ORDERS, RESTAURANTS, TICKETS, Stream

from query.maintenance.fingerprints import (
    Parts,
    newest_document,
    newest_in,
    parts_of_newest,
    parts_of_order,
    view_in,
)
from query.storage.client import Collection
from query.storage.generations import Generation
from query.views import menu
from query.views.merge import Document
from query.views.orders import view as order

MALFORMED = (KeyError, TypeError, ValueError, AttributeError)
"""What reading a document raises that is nothing like what was stored."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of document; `name` is also that of its collection."""

    name: str
    streams: tuple[Stream, ...]
    events: tuple[type[Event], ...]
    collection: Callable[[Generation], Collection]
    key: Callable[[Event], str]
    parts_said: Callable[[Event], Parts]
    parts_stored: Callable[[Document], Parts]
    is_sound: Callable[[Document], bool]
    folded: Callable[[Sequence[Event]], Document]
    """The document that follows from all of its events."""
    subjects: Callable[[str], list[tuple[Stream, str]]]
    """Where the events of one document are, by its `_id`."""

    def heard(self, event: Event) -> Parts:
        """The parts that the event tells of; none if they can't be stored."""
        try:
            return self.parts_said(event)
        except OverflowError:
            return {}

    def stored(self, document: Document) -> Parts:
        """The parts of a document; none if it is malformed."""
        with contextlib.suppress(*MALFORMED):
            return self.parts_stored(document)
        return {}

    def sound(self, document: Document) -> bool:
        """Whether the document has its parts and what is derived from them, and nothing else."""
        with contextlib.suppress(*MALFORMED):
            return self.is_sound(document)
        return False

    def follows(self, events: Sequence[Event]) -> Document | None:
        """The document that follows from its events, without those that the store can't hold."""
        storable = [event for event in events if self._is_storable(event)]
        return self.folded(storable) if storable else None

    def _is_storable(self, event: Event) -> bool:
        try:
            bson.encode(self.folded([event]))
        except (BSONError, OverflowError):
            return False
        return True


def _order_key(event: Event) -> str:
    return event.key.partition("/")[0]


def _order_view(event: Event) -> order.OrderView:
    assert isinstance(event, OrderEvent | TicketEvent)  # noqa: S101 - of their streams
    return order.view_of(event)


def _folded_order(events: Sequence[Event]) -> Document:
    return order.document(functools.reduce(order.merge, map(_order_view, events)))


def _sound_order(stored: Document) -> bool:
    return order.document(view_in(stored)) == stored


def _newest(event: Event) -> menu.MenuView:
    assert isinstance(event, MenuEvent | RestaurantEvent)  # noqa: S101 - of their streams
    return menu.view_of(event)


def _newest_key(event: Event) -> str:
    return _newest(event).key


def _newest_parts(event: Event) -> Parts:
    return parts_of_newest(_newest(event))


def _folded_newest(events: Sequence[Event]) -> Document:
    return newest_document(functools.reduce(menu.merge, map(_newest, events)))


def _sound_newest(stored: Document) -> bool:
    return newest_document(newest_in(stored)) == stored


def _split(key: str) -> tuple[str, str]:
    restaurant, _, sku = key.partition("/")
    return restaurant, sku


ORDER_DOCUMENTS = Kind(
    "orders",
    (ORDERS, TICKETS),
    (OrderEvent, TicketEvent),
    lambda generation: generation.orders,
    _order_key,
    lambda event: parts_of_order(_order_view(event)),
    lambda stored: parts_of_order(view_in(stored)),
    _sound_order,
    _folded_order,
    lambda order_id: [
        (ORDERS, subjects.order("*", order_id, "*")),
        (TICKETS, subjects.ticket("*", order_id, "*", "*")),
    ],
)
MENU_DOCUMENTS = Kind(
    "menu",
    (MENU,),
    (MenuEvent,),
    lambda generation: generation.menu,
    _newest_key,
    _newest_parts,
    lambda stored: parts_of_newest(newest_in(stored)),
    _sound_newest,
    _folded_newest,
    lambda key: [(MENU, subjects.menu_item(*_split(key), "*"))],
)
RESTAURANT_DOCUMENTS = Kind(
    "restaurants",
    (RESTAURANTS,),
    (RestaurantEvent,),
    lambda generation: generation.restaurants,
    _newest_key,
    _newest_parts,
    lambda stored: parts_of_newest(newest_in(stored)),
    _sound_newest,
    _folded_newest,
    lambda slug: [(RESTAURANTS, subjects.restaurant(slug, "*"))],
)
KINDS = (ORDER_DOCUMENTS, MENU_DOCUMENTS, RESTAURANT_DOCUMENTS)
