"""Conditions on which an aggregate may be changed at all: that it exists, and is as expected."""

from typing import Protocol
from uuid import UUID

from ordering.domain.order import Order
from ordering.domain.refusals import UnknownOrder, VersionMismatch


class Versioned(Protocol):
    """An aggregate that counts its changes."""

    @property
    def version(self) -> int: ...


def require_order(order: Order | None, restaurant: str, order_id: UUID) -> Order:
    """Return the order. Raises UnknownOrder if this restaurant has none with this id."""
    if order is None or order.restaurant != restaurant:
        raise UnknownOrder(order_id)
    return order


def expect_version(current: Versioned | None, version: int | None) -> None:
    """Raise VersionMismatch unless `current` is at this version; None stands for any.

    An aggregate that does not exist yet is at version 0.
    """
    actual = current.version if current else 0
    if version is not None and version != actual:
        raise VersionMismatch(expected=version, actual=actual)
