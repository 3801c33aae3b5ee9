"""Order documents of the store as JSON objects for clients."""

from datetime import datetime
from typing import Any

from query.views.merge import Document
from query.views.orders.status import status_of

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
ROUND_FIELDS = {"round", "lines", "ordered_at", "voided", "total"}


DEFAULTS: dict[str, Any] = {"table": None, "guests": None, "customer": None, "phone": None}
"""For fields that a document of an older release may lack, until the views are rebuilt."""


def is_known(document: Document) -> bool:
    """True once the order itself has come: a ticket may come before it."""
    return "order" in document


def version_of(document: Document) -> int:
    """The version of the order; 0 while it is not known."""
    return int(document["order"].get("version", 0)) if is_known(document) else 0


def present_order(document: Document) -> dict[str, Any]:
    """The order view, with its timeline; the order must be known."""
    return {**present_listed_order(document), "timeline": present_timeline(document)}


def present_listed_order(document: Document) -> dict[str, Any]:
    """The order view without its timeline, for lists."""
    order, tickets = document["order"], document.get("tickets", {})
    rounds = [each if each.keys() >= ROUND_FIELDS else _completed(each) for each in order["rounds"]]
    return {
        "order_id": document["_id"],
        "restaurant": document["restaurant"],
        **{
            name: order[name] if name in order else _default(name, rounds)
            for name in PUBLIC_ORDER_FIELDS
        },
        "status": document["status"] if "status" in document else status_of(order, tickets),
        "rounds": [{**each, "ticket": tickets.get(str(each["round"]))} for each in rounds],
    }


def present_timeline(document: Document) -> list[dict[str, Any]]:
    """Everything that happened to an order, oldest first."""
    return sorted(document.get("timeline", {}).values(), key=_when)


def _completed(stored: dict[str, Any]) -> dict[str, Any]:
    """The round with what it lacks."""
    total = sum(line["unit_price"] * line["quantity"] for line in stored["lines"])
    return {**stored, "voided": stored.get("voided", False), "total": stored.get("total", total)}


def _default(name: str, rounds: list[dict[str, Any]]) -> Any:
    """The value of a field that a document lacks. Raises KeyError if there is none for it."""
    if name == "total":
        return sum(each["total"] for each in rounds if not each["voided"])
    return DEFAULTS[name]


def _when(entry: dict[str, Any]) -> tuple[datetime, str, int, int]:
    at = datetime.fromisoformat(entry["at"])
    return at, entry["source"], entry["round"] or 0, entry["version"]
