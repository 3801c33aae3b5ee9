"""Conditions on which an aggregate may be changed at all: that it exists, and is as expected."""

from collections.abc import Collection
from typing import Protocol
from uuid import UUID

from ordering.domain.order import Order
from ordering.domain.refusals import UnknownOrder, VersionMismatch

ExpectedVersion = int | Collection[int] | None
"""The version that a command is meant for, or one of several; None stands for any."""


class Versioned(Protocol):
    """An aggregate that counts its changes."""

    @property
    def version(self) -> int: ...


def require_order(order: Order | None, restaurant: str, order_id: UUID) -> Order:
    """Return the order. Raises UnknownOrder if this restaurant has none with this id."""
    if order is None or order.restaurant != restaurant:
        raise UnknownOrder(order_id)
    return order


def expect_version(current: Versioned | None, version: ExpectedVersion) -> None:
    """Raise VersionMismatch unless `current` is at this version, or at one of these.

    An aggregate that does not exist yet is at version 0.
    """
    actual = current.version if current else 0
    allowed = (version,) if isinstance(version, int) else version
    if allowed is not None and actual not in allowed:
        raise VersionMismatch(expected=allowed, actual=actual)
