"""The tables at which guests sit, from the active orders that were placed there."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from query.views.merge import Document
from query.views.orders.status import ViewStatus

STATUSES_BY_URGENCY = (
    ViewStatus.READY,
    ViewStatus.CANCELLING,
    ViewStatus.PLACED,
    ViewStatus.PREPARING,
    ViewStatus.SERVED,
)
"""Food that grows cold on the pass comes first, guests who have everything come last."""

DIGITS = "0123456789"


def occupied_tables(orders: Iterable[Document]) -> list[dict[str, Any]]:
    """Each table with its active orders, table 2 before table 10."""
    at: dict[str, list[Document]] = defaultdict(list)
    for order in orders:
        at[order["order"]["table"]].append(order)
    return [_table(name, at[name]) for name in sorted(at, key=natural)]


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts numbers within names by their size."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [_digits(part) if part[0] in DIGITS else (-1, part.casefold()) for part in parts], name


def _digits(part: str) -> tuple[int, str]:
    """By its length and then by its digits: a number of any size."""
    number = part.lstrip("0")
    return len(number), number


def _table(name: str, found: list[Document]) -> dict[str, Any]:
    orders = sorted(found, key=lambda each: (each["order"]["placed_at"], each["_id"]))
    return {
        "table": name,
        "since": orders[0]["order"]["placed_at"],
        "status": min((each["status"] for each in orders), key=STATUSES_BY_URGENCY.index),
        "guests": sum(each["order"].get("guests") or 0 for each in orders),
        "open_total": sum(each["order"]["total"] for each in orders),
        "currency": orders[0]["order"]["currency"],
        "orders": [_order(each) for each in orders],
    }


def _order(document: Document) -> dict[str, Any]:
    order = document["order"]
    return {
        "order_id": document["_id"],
        **{name: order[name] for name in ("number", "version", "placed_at", "total")},
        "status": document["status"],
    }
