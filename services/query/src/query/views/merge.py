"""The merge that every fold is made of: of two states of one aggregate the newer one stays."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

AggregateState = dict[str, Any]
"""The state of one aggregate at one version, as JSON would hold it.

`version` is its first key: the store compares documents key by key, and so by version.
"""

Document = dict[str, Any]
"""A view as the store holds it."""

MALFORMED = (LookupError, TypeError, ValueError, AttributeError)
"""Raised by reading a document that is nothing like what was stored."""

View = TypeVar("View")


# decision/0001: every event carries the whole state after it
def newer(one: AggregateState, other: AggregateState) -> AggregateState:
    """The state with the higher version; the same version is the same state."""
    return one if one["version"] >= other["version"] else other


def merge_by_key(
    views: Iterable[View], key: Callable[[View], Hashable], merge: Callable[[View, View], View]
) -> list[View]:
    """One view for each key: all that have it, merged."""
    merged: dict[Hashable, View] = {}
    for view in views:
        of = key(view)
        known = merged.get(of)
        merged[of] = view if known is None else merge(known, view)
    return list(merged.values())
