"""Where events travel: every subject, built and taken apart here and nowhere else."""

import re
from typing import Annotated, NamedTuple
from uuid import UUID

from pydantic import StringConstraints

from comanda_contracts.envelope import Unreadable

SLUG_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
SKU_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"

Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN)]
"""Names a restaurant: 1 to 63 lower-case letters, digits and inner hyphens."""

Sku = Annotated[str, StringConstraints(pattern=SKU_PATTERN)]
"""Names a menu item in its restaurant: 1 to 64 letters, digits, hyphens and underscores."""

ALL_ORDERS = "orders.v1.>"
ALL_RESTAURANTS = "restaurants.v1.>"
ALL_MENUS = "menu.v1.>"
ALL_TICKETS = "tickets.v1.>"
ALL_ACCESS = "access.v1.>"
ALL_COMMANDS = "commands.v1.>"
ALL_DEAD_LETTERS = "dead-letters.v1.>"

ALL_ARCHIVED_ORDERS = "archive.orders.v1.>"
ALL_ARCHIVED_TICKETS = "archive.tickets.v1.>"
ARCHIVED_ORDER_TRANSFORM = "archive.orders.v1.{{wildcard(1)}}.{{wildcard(3)}}"
ARCHIVED_TICKET_TRANSFORM = "archive.tickets.v1.{{wildcard(1)}}.{{wildcard(4)}}"
"""How the servers make the subject in the archive of that in the stream."""

EVERY_RESTAURANT = "_every"
"""Stands for all restaurants where a subject needs a word: none has it as its slug."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


class OrderSubject(NamedTuple):
    """The parts of `orders.v1.<restaurant>.<order_id>.<event>`."""

    restaurant: str
    order_id: str
    event: str


class RestaurantSubject(NamedTuple):
    """The parts of `restaurants.v1.<restaurant>.<event>`."""

    restaurant: str
    event: str


class MenuSubject(NamedTuple):
    """The parts of `menu.v1.<restaurant>.<sku>.<event>`."""

    restaurant: str
    sku: str
    event: str


class TicketSubject(NamedTuple):
    """The parts of `tickets.v1.<restaurant>.<order_id>.<round>.<event>`."""

    restaurant: str
    order_id: str
    round: str
    event: str


class ArchivedSubject(NamedTuple):
    """The parts of `archive.orders.v1.<restaurant>.<event>`, and of an archived ticket's."""

    restaurant: str
    event: str


class AccessSubject(NamedTuple):
    """The parts of `access.v1.<restaurant>.<subject_hash>.<event>`."""

    restaurant: str
    subject_hash: str
    event: str


class CommandSubject(NamedTuple):
    """The parts of `commands.v1.<restaurant>.<command>`."""

    restaurant: str
    command: str


class DeadLetterSubject(NamedTuple):
    """The parts of `dead-letters.v1.<service>.<stream>`."""

    service: str
    stream: str


def order(restaurant: str, order_id: UUID | str, event: str) -> str:
    """The subject of an order's event; `*` stands for any one of them, here and below."""
    return _join("orders", restaurant, str(order_id), event)


def parse_order(subject: str) -> OrderSubject:
    """Take an order's subject apart. Raises Unreadable if it is none, here and below."""
    return OrderSubject(*_split(subject, "orders", OrderSubject._fields))


def restaurant(restaurant: str, event: str) -> str:
    """The subject of a restaurant's event."""
    return _join("restaurants", restaurant, event)


def parse_restaurant(subject: str) -> RestaurantSubject:
    """Take a restaurant's subject apart."""
    return RestaurantSubject(*_split(subject, "restaurants", RestaurantSubject._fields))


def menu_item(restaurant: str, sku: str, event: str) -> str:
    """The subject of a menu item's event."""
    return _join("menu", restaurant, sku, event)


def parse_menu_item(subject: str) -> MenuSubject:
    """Take a menu item's subject apart."""
    return MenuSubject(*_split(subject, "menu", MenuSubject._fields))


def ticket(restaurant: str, order_id: UUID | str, round_number: int | str, event: str) -> str:
    """The subject of a ticket's event."""
    return _join("tickets", restaurant, str(order_id), str(round_number), event)


def every_event_of_ticket(restaurant: str, order_id: UUID | str, round_number: int) -> str:
    """The filter for one ticket's events; the last of them is the ticket."""
    return f"{_join('tickets', restaurant, str(order_id), str(round_number))}.>"


def parse_ticket(subject: str) -> TicketSubject:
    """Take a ticket's subject apart."""
    return TicketSubject(*_split(subject, "tickets", TicketSubject._fields))


def archived_order(restaurant: str, event: str) -> str:
    """The subject of an order's event in the archive: it names no order."""
    return f"archive.{_join('orders', restaurant, event)}"


def archived_ticket(restaurant: str, event: str) -> str:
    """The subject of a ticket's event in the archive: it names no order."""
    return f"archive.{_join('tickets', restaurant, event)}"


def archived(subject: str) -> str:
    """What the subject of an order's or a ticket's event becomes in the archive."""
    root, version, restaurant, *_, event = subject.split(".")
    return ".".join(("archive", root, version, restaurant, event))


def access(restaurant: str, subject_hash: str, event: str) -> str:
    """The subject of an event about the access of a token's subject."""
    return _join("access", restaurant, subject_hash, event)


def parse_access(subject: str) -> AccessSubject:
    """Take such a subject apart."""
    return AccessSubject(*_split(subject, "access", AccessSubject._fields))


def command(restaurant: str, command: str) -> str:
    """The subject of a command: what a till asks of ordering."""
    return _join("commands", restaurant, command)


def parse_command(subject: str) -> CommandSubject:
    """Take a command's subject apart."""
    return CommandSubject(*_split(subject, "commands", CommandSubject._fields))


def dead_letter(service: str, stream: str) -> str:
    """The subject on which a service sets aside what it can't read of a stream."""
    return _join("dead-letters", service, stream)


def parse_dead_letter(subject: str) -> DeadLetterSubject:
    """Take a dead letter's subject apart."""
    return DeadLetterSubject(*_split(subject, "dead-letters", DeadLetterSubject._fields))


_PARTS: dict[str, tuple[str, ...]] = {
    "orders": OrderSubject._fields,
    "tickets": TicketSubject._fields,
    "menu": MenuSubject._fields,
    "restaurants": RestaurantSubject._fields,
    "access": AccessSubject._fields,
    "commands": CommandSubject._fields,
}


def address(subject: str) -> str:
    """What the subjects of all messages of one kind look like: only their last part is the same.

    Of `menu.v1.la-piazza.tiramisu.item-set` it is `menu.v1.{restaurant}.{sku}.item-set`.
    """
    root, version, *_, name = subject.split(".")
    return ".".join([root, version, *(f"{{{part}}}" for part in _PARTS[root][:-1]), name])


def root(subject: str) -> str:
    """The first part of a subject, or of a stream's filter: `orders` of `orders.v1.>`."""
    return subject.partition(".")[0]


def aggregate(subject: str) -> str:
    """What the subjects of all events of one order, ticket, item or restaurant begin with."""
    return subject.rpartition(".")[0]


def covers(pattern: str, subject: str) -> bool:
    """Whether a filter such as `orders.v1.*.*.placed` or `orders.v1.>` takes the subject in."""
    wanted, parts = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(parts) <= len(wanted):
            return False
        parts = parts[: len(wanted)]
    return len(wanted) == len(parts) and all(
        want in ("*", part) for want, part in zip(wanted, parts, strict=True)
    )


def is_within(pattern: str, every: str) -> bool:
    """Whether a filter is as long as `every` subject of a stream, or shorter with `>` at its end.

    A shorter one that ends with `*` would be more than it seems, if it is granted to somebody: the
    server compares it with what is asked for token by token, and takes a `>` there for any word.
    """
    wanted, parts = pattern.split("."), every.split(".")
    (root, version, *rest), (its_root, its_version, *ids) = wanted, parts
    reaches = len(rest) == len(ids) or (len(rest) < len(ids) and rest[-1:] == [">"])
    named = all(part in ("*", want) for want, part in zip(rest, ids, strict=False))
    return (root, version) == (its_root, its_version) and named and reaches


def _join(root: str, *parts: str) -> str:
    for part in parts:
        if part != "*" and not _TOKEN.fullmatch(part):
            raise ValueError(f"{part!r} can't be a part of a subject")
    return ".".join((root, "v1", *parts))


def _split(subject: str, root: str, fields: tuple[str, ...]) -> list[str]:
    parts = subject.split(".")
    if parts[:2] != [root, "v1"] or len(parts) != 2 + len(fields):
        raise Unreadable(f"{subject!r} is not {root}.v1.<{'>.<'.join(fields)}>")
    return parts[2:]
