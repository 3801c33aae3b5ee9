"""The kinds of documents that are made from the streams, and how one of each is made."""

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import bson
from bson.errors import BSONError
from comanda_contracts import Event, MenuEvent, OrderEvent, RestaurantEvent, TicketEvent, subjects
from comanda_contracts.streams import MENU, ORDERS, RESTAURANTS, TICKETS, Stream

from query.maintenance import fingerprints
from query.maintenance.fingerprints import Fingerprints
from query.storage.client import Collection
from query.storage.generations import Generation
from query.views import menu
from query.views.merge import MALFORMED, Document
from query.views.orders import view as order


class DocumentKind(Protocol):
    """One kind of document, all of which are in one collection of a generation."""

    @property
    def name(self) -> str:
        """By which operators know it, and that of its collection."""

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that its documents are made from."""

    @property
    def events(self) -> tuple[type[Event], ...]:
        """The events that its documents are made from."""

    def collection(self, generation: Generation) -> Collection:
        """Where its documents are."""

    def key(self, event: Event) -> str:
        """The `_id` of the document that the event changes."""

    def subjects(self, key: str) -> list[tuple[Stream, str]]:
        """Where the events of the document with this `_id` are. May raise `MALFORMED`."""

    def archived(self, restaurant: str | None) -> list[tuple[Stream, str]]:
        """Of each stream that has an archive the subject there; of a restaurant, if it is known."""

    def document(self, events: Sequence[Event]) -> Document:
        """The document that is made from all of its events."""

    def published(self, event: Event) -> Fingerprints:
        """Fingerprints of what the event says. May raise OverflowError."""

    def stored(self, document: Document) -> Fingerprints:
        """Fingerprints of what is stored. May raise `MALFORMED`."""

    def rebuilt(self, document: Document) -> Document:
        """The document with what is derived in it derived anew. May raise `MALFORMED`."""


class OrderDocuments:
    """Orders with their tickets and timeline."""

    name: ClassVar[str] = "orders"
    streams: ClassVar[tuple[Stream, ...]] = (ORDERS, TICKETS)
    events: ClassVar[tuple[type[Event], ...]] = (OrderEvent, TicketEvent)

    def collection(self, generation: Generation) -> Collection:
        return generation.orders

    def key(self, event: Event) -> str:
        return event.key.partition("/")[0]

    def subjects(self, key: str) -> list[tuple[Stream, str]]:
        return [
            (ORDERS, subjects.order("*", key, "*")),
            (TICKETS, subjects.ticket("*", key, "*", "*")),
        ]

    def archived(self, restaurant: str | None) -> list[tuple[Stream, str]]:
        return [
            (ORDERS, subjects.archived_order(restaurant or "*", "*")),
            (TICKETS, subjects.archived_ticket(restaurant or "*", "*")),
        ]

    def document(self, events: Sequence[Event]) -> Document:
        return order.document(functools.reduce(order.merge, map(self._view, events)))

    def published(self, event: Event) -> Fingerprints:
        return fingerprints.of_order(self._view(event))

    def stored(self, document: Document) -> Fingerprints:
        return fingerprints.of_order(self.view_in(document))

    def rebuilt(self, document: Document) -> Document:
        return order.document(self.view_in(document))

    def view_in(self, document: Document) -> order.OrderView:
        """The view that a document holds, without what is derived. May raise `MALFORMED`."""
        return order.OrderView(
            document["_id"],
            document["restaurant"],
            document.get("order"),
            document.get("tickets", {}),
            document.get("timeline", {}),
        )

    def _view(self, event: Event) -> order.OrderView:
        assert isinstance(event, OrderEvent | TicketEvent)  # noqa: S101 - of their streams
        return order.view_of(event)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestStateDocuments:
    """Documents that hold the newest state of one aggregate: menu items, or restaurants."""

    name: str
    stream: Stream
    event: type[Event]
    in_generation: Callable[[Generation], Collection]
    subject: Callable[[str], str]
    """Of all events of the document with this `_id`."""

    @property
    def streams(self) -> tuple[Stream, ...]:
        return (self.stream,)

    @property
    def events(self) -> tuple[type[Event], ...]:
        return (self.event,)

    def collection(self, generation: Generation) -> Collection:
        return self.in_generation(generation)

    def key(self, event: Event) -> str:
        return self._view(event).key

    def subjects(self, key: str) -> list[tuple[Stream, str]]:
        return [(self.stream, self.subject(key))]

    def archived(self, restaurant: str | None) -> list[tuple[Stream, str]]:  # noqa: ARG002
        return []

    def document(self, events: Sequence[Event]) -> Document:
        return self._document(functools.reduce(menu.merge, map(self._view, events)))

    def published(self, event: Event) -> Fingerprints:
        return fingerprints.of_newest(self._view(event))

    def stored(self, document: Document) -> Fingerprints:
        return fingerprints.of_newest(self._view_in(document))

    def rebuilt(self, document: Document) -> Document:
        return self._document(self._view_in(document))

    def _view(self, event: Event) -> menu.MenuView:
        assert isinstance(event, MenuEvent | RestaurantEvent)  # noqa: S101 - of their streams
        return menu.view_of(event)

    def _view_in(self, document: Document) -> menu.MenuView:
        return menu.MenuView(document["_id"], document["restaurant"], document["state"])

    def _document(self, view: menu.MenuView) -> Document:
        return {"_id": view.key, "restaurant": view.restaurant, "state": view.state}


def _menu_item_subject(key: str) -> str:
    restaurant, _, sku = key.partition("/")
    return subjects.menu_item(restaurant, sku, "*")


ORDER_DOCUMENTS = OrderDocuments()
MENU_DOCUMENTS = NewestStateDocuments(
    name="menu",
    stream=MENU,
    event=MenuEvent,
    in_generation=lambda generation: generation.menu,
    subject=_menu_item_subject,
)
RESTAURANT_DOCUMENTS = NewestStateDocuments(
    name="restaurants",
    stream=RESTAURANTS,
    event=RestaurantEvent,
    in_generation=lambda generation: generation.restaurants,
    subject=lambda slug: subjects.restaurant(slug, "*"),
)
DOCUMENT_KINDS: tuple[DocumentKind, ...] = (ORDER_DOCUMENTS, MENU_DOCUMENTS, RESTAURANT_DOCUMENTS)


def published_fingerprints(kind: DocumentKind, event: Event) -> Fingerprints:
    """Fingerprints of what the event says; none if the store can't hold it."""
    try:
        return kind.published(event)
    except OverflowError:
        return {}


def stored_fingerprints(kind: DocumentKind, document: Document) -> Fingerprints:
    """Fingerprints of what is stored; none if it is malformed."""
    with contextlib.suppress(*MALFORMED):
        return kind.stored(document)
    return {}


def is_sound(kind: DocumentKind, document: Document) -> bool:
    """Whether a document has its parts and what is derived from them, and nothing else."""
    with contextlib.suppress(*MALFORMED):
        return kind.rebuilt(document) == document
    return False


def expected_document(kind: DocumentKind, events: Sequence[Event]) -> Document | None:
    """The document that is made from its events, without those that the store can't hold.

    None if there is no other.
    """
    storable = [event for event in events if _is_storable(kind, event)]
    return kind.document(storable) if storable else None


def _is_storable(kind: DocumentKind, event: Event) -> bool:
    try:
        bson.encode(kind.document([event]))
    except (BSONError, OverflowError):
        return False
    return True
