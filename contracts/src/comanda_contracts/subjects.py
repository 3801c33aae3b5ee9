"""Where events travel: every subject, built and taken apart here and nowhere else."""

import re
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

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
ALL_COMMANDS = "commands.v1.>"
ALL_DEAD_LETTERS = "dead-letters.v1.>"

_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


def order(restaurant: str, order_id: UUID | str, event: str) -> str:
    """`orders.v1.<restaurant>.<order_id>.<event>`; `*` stands for any one of them."""
    return _join("orders", restaurant, str(order_id), event)


def restaurant(restaurant: str, event: str) -> str:
    """`restaurants.v1.<restaurant>.<event>`."""
    return _join("restaurants", restaurant, event)


def menu_item(restaurant: str, sku: str, event: str) -> str:
    """`menu.v1.<restaurant>.<sku>.<event>`."""
    return _join("menu", restaurant, sku, event)


def ticket(restaurant: str, order_id: UUID | str, round_number: int | str, event: str) -> str:
    """`tickets.v1.<restaurant>.<order_id>.<round>.<event>`."""
    return _join("tickets", restaurant, str(order_id), str(round_number), event)


def every_event_of_ticket(restaurant: str, order_id: UUID | str, round_number: int) -> str:
    """The filter for one ticket's events; the last of them is the ticket."""
    return f"{_join('tickets', restaurant, str(order_id), str(round_number))}.>"


def command(restaurant: str, command: str) -> str:
    """`commands.v1.<restaurant>.<command>`: what a till asks of ordering."""
    return _join("commands", restaurant, command)


def dead_letter(service: str, stream: str) -> str:
    """`dead-letters.v1.<service>.<stream>`: where a service sets aside what it can't read."""
    return _join("dead-letters", service, stream)


def _join(root: str, *parts: str) -> str:
    for part in parts:
        if part != "*" and not _TOKEN.fullmatch(part):
            raise ValueError(f"{part!r} can't be a part of a subject")
    return ".".join((root, "v1", *parts))
