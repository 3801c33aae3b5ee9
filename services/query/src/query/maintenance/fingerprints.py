"""What a document is made of: parts with versions, small enough to keep those of every document."""

from collections.abc import Mapping
from typing import Any

import orjson

from query.views.menu import MenuView
from query.views.merge import AggregateState, Document
from query.views.orders.view import OrderView

Parts = dict[str, tuple[int, int]]
"""Of each part its version, and a digest of its content that is valid in this process."""

ANY_ORDER = orjson.OPT_SORT_KEYS | orjson.OPT_NAIVE_UTC


def parts_of_order(view: OrderView) -> Parts:
    """The order's state, those of its tickets, and each entry of its timeline."""
    parts = {"restaurant": (0, _digest(view.restaurant))}
    if view.order:
        parts["order"] = _part(view.order)
    for number, ticket in view.tickets.items():
        parts[f"tickets.{number}"] = _part(ticket)
    for name, entry in view.timeline.items():
        parts[f"timeline.{name}"] = _part(entry)
    return parts


def parts_of_newest(view: MenuView) -> Parts:
    """The state of a menu item or a restaurant."""
    return {"restaurant": (0, _digest(view.restaurant)), "state": _part(view.state)}


def keep_newest(known: Parts, more: Parts) -> None:
    """Keep of each part the newer one in what is known."""
    for name, part in more.items():
        known[name] = max(part, known.get(name, part))


def behind(one: Parts, other: Parts) -> bool:
    """Whether the other has a part that is newer, or that this one lacks."""
    return any(version > one.get(name, (-1, 0))[0] for name, (version, _) in other.items())


def view_in(stored: Document) -> OrderView:
    """The view that a document holds, without what is derived."""
    return OrderView(
        stored["_id"],
        stored["restaurant"],
        stored.get("order"),
        stored.get("tickets", {}),
        stored.get("timeline", {}),
    )


def newest_in(stored: Document) -> MenuView:
    """The view that the document of a menu item or a restaurant holds."""
    return MenuView(stored["_id"], stored["restaurant"], stored["state"])


def newest_document(view: MenuView) -> Document:
    """A menu item or a restaurant as the store holds it."""
    return {"_id": view.key, "restaurant": view.restaurant, "state": view.state}


def unlike(written: Any, shown: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """The innermost values that differ, by their paths; None stands for what is not there."""
    if isinstance(written, Mapping) and isinstance(shown, Mapping):
        return [
            each
            for name in sorted(written.keys() | shown.keys())
            for each in unlike(written.get(name), shown.get(name), f"{path}.{name}".lstrip("."))
        ]
    return [] if written == shown else [(path, written, shown)]


def _part(state: AggregateState) -> tuple[int, int]:
    return state["version"], _digest(state)


def _digest(content: Any) -> int:
    return hash(orjson.dumps(content, option=ANY_ORDER, default=repr))
