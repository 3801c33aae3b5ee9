"""Order documents of the store as JSON objects for clients."""

from datetime import datetime
from typing import Any

from query.views.merge import Document

PUBLIC_ORDER_FIELDS = (
    "number",
    "business_day",
    "channel",
    "table",
    "guests",
    "customer",
    "phone",
    "currency",
    "version",
    "placed_at",
    "total",
)
"""Fields of the order's state that clients get as they are."""


def is_known(document: Document) -> bool:
    """True once the order itself has come: a ticket may come before it."""
    return "order" in document


def version_of(document: Document) -> int:
    """The version of the order; 0 while it is not known."""
    return int(document["order"]["version"]) if is_known(document) else 0


def present_order(document: Document) -> dict[str, Any]:
    """The order view, with its timeline; the order must be known."""
    return {**present_listed_order(document), "timeline": present_timeline(document)}


def present_listed_order(document: Document) -> dict[str, Any]:
    """The order view without its timeline, for lists."""
    order, tickets = document["order"], document.get("tickets", {})
    return {
        "order_id": document["_id"],
        "restaurant": document["restaurant"],
        **{name: order[name] for name in PUBLIC_ORDER_FIELDS},
        "status": document["status"],
        "rounds": [{**each, "ticket": tickets.get(str(each["round"]))} for each in order["rounds"]],
    }


def present_timeline(document: Document) -> list[dict[str, Any]]:
    """Everything that happened to an order, oldest first."""
    return sorted(document["timeline"].values(), key=_when)


def _when(entry: dict[str, Any]) -> tuple[datetime, str, int, int]:
    at = datetime.fromisoformat(entry["at"])
    return at, entry["source"], entry["round"] or 0, entry["version"]
