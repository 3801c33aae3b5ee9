"""Fingerprints of a document's parts, small enough to keep those of every document."""

from collections.abc import Mapping
from typing import Any

import orjson

from query.views.menu import MenuView
from query.views.merge import AggregateState
from query.views.orders.view import FORGOTTEN, OrderView, forgotten_versions

Fingerprints = dict[str, tuple[int, int]]
"""Of each part its version, and a digest of its content that is valid in this process."""

ANY_ORDER = orjson.OPT_SORT_KEYS | orjson.OPT_NAIVE_UTC


def of_order(view: OrderView) -> Fingerprints:
    """Fingerprints of the order's state, those of its tickets, and each entry of its timeline."""
    parts = {"restaurant": (0, _digest(view.restaurant))}
    if view.order:
        parts["order"] = _fingerprint(view.order)
    for number, ticket in view.tickets.items():
        parts[f"tickets.{number}"] = _fingerprint(ticket)
    for name, entry in view.timeline.items():
        parts[f"timeline.{name}"] = _fingerprint(entry)
    for source, version in forgotten_versions(view.timeline).items():
        parts[f"{FORGOTTEN}.{source}"] = (version, 0)
    return parts


def without_forgotten(parts: Fingerprints) -> Fingerprints:
    """Those of a document of which no more is left than `views/orders/view.py` leaves."""
    forgotten = {
        name.partition(".")[2]: version
        for name, (version, _) in parts.items()
        if name.startswith(f"{FORGOTTEN}.")
    }
    if not forgotten:
        return parts
    return {
        name: fingerprint
        for name, fingerprint in parts.items()
        if fingerprint[0] >= forgotten.get(_source_in(name), 0)
    }


def _source_in(part: str) -> str:
    """Whose versions an entry of the timeline counts; nobody's if the part is no entry."""
    kind, _, name = part.partition(".")
    return name.rpartition("-")[0] if kind == "timeline" else ""


def of_newest(view: MenuView) -> Fingerprints:
    """Fingerprints of a menu item or a restaurant: it has but one part."""
    return {"restaurant": (0, _digest(view.restaurant)), "state": _fingerprint(view.state)}


def is_behind(one: Fingerprints, other: Fingerprints) -> bool:
    """Whether the other has a part that is newer, or that the first lacks."""
    return any(version > one.get(name, (-1, 0))[0] for name, (version, _) in other.items())


def differing_fields(one: Any, other: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """The innermost values that differ, with their paths; None stands for what is not there."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return [
            each
            for name in sorted(one.keys() | other.keys())
            for each in differing_fields(
                one.get(name), other.get(name), f"{path}.{name}".lstrip(".")
            )
        ]
    return [] if one == other else [(path, one, other)]


def _fingerprint(state: AggregateState) -> tuple[int, int]:
    return state["version"], _digest(state)


def _digest(content: Any) -> int:
    return hash(orjson.dumps(content, option=ANY_ORDER, default=repr))
