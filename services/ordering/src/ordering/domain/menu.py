"""The menu: what can be ordered, and at what price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ordering.domain.order import Line
from ordering.domain.refusals import BadLine, CannotOrder, WithdrawnMenuItem


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuItem:
    """One dish or drink; `price` in minor units of the restaurant's currency."""

    restaurant: str
    sku: str
    name: str
    category: str
    price: int
    available: bool
    withdrawn: bool = False
    version: int

    def set_available(
        self, available: bool, *, reason: str | None, at: datetime, actor: str | None
    ) -> "MenuItemSet | None":
        """Offer the item, or stop to for a while; None if that is so already.

        Raises WithdrawnMenuItem if it has left the menu for good.
        """
        changed = replace(self, available=available)
        return set_menu_item(self, changed, reason=reason, at=at, actor=actor)

    def withdraw(
        self, *, reason: str | None, at: datetime, actor: str | None
    ) -> "MenuItemWithdrawn | None":
        """Take the item off the menu for good; None if it is off already."""
        if self.withdrawn:
            return None
        withdrawn = replace(self, withdrawn=True, available=False, version=self.version + 1)
        return MenuItemWithdrawn(item=withdrawn, reason=reason, at=at, actor=actor)


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuItemSet:
    """An item was put on the menu or changed; `reason` says why, where somebody did."""

    item: MenuItem
    reason: str | None
    at: datetime
    actor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuItemWithdrawn:
    """An item left the menu for good; `reason` says why, where somebody did."""

    item: MenuItem
    reason: str | None
    at: datetime
    actor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A line as a guest asks for it: the menu adds name and price."""

    sku: str
    quantity: int
    note: str | None = None


def set_menu_item(
    current: MenuItem | None,
    wanted: MenuItem,
    *,
    reason: str | None = None,
    at: datetime,
    actor: str | None,
) -> MenuItemSet | None:
    """Make the item as wanted, whatever version `wanted` has; None if it is so already.

    Raises WithdrawnMenuItem if it has left the menu for good.
    """
    if current is None:
        return MenuItemSet(item=replace(wanted, version=1), reason=reason, at=at, actor=actor)
    if current.withdrawn:
        raise WithdrawnMenuItem(current.sku)
    if replace(wanted, version=current.version) == current:
        return None
    changed = replace(wanted, version=current.version + 1)
    return MenuItemSet(item=changed, reason=reason, at=at, actor=actor)


def price(wishes: Sequence[Wish], menu: Mapping[str, MenuItem]) -> tuple[Line, ...]:
    """Turn wishes into lines with the name and price of this moment.

    Raises CannotOrder, naming every line that the menu does not offer now.
    """
    reasons = ((index, _why_not(wish, menu)) for index, wish in enumerate(wishes))
    bad = [BadLine(index, reason) for index, reason in reasons if reason]
    if bad:
        raise CannotOrder(bad)
    return tuple(
        Line(
            sku=wish.sku,
            name=menu[wish.sku].name,
            unit_price=menu[wish.sku].price,
            quantity=wish.quantity,
            note=wish.note,
        )
        for wish in wishes
    )


def _why_not(wish: Wish, menu: Mapping[str, MenuItem]) -> str | None:
    item = menu.get(wish.sku)
    if item is None:
        return f"There is no item {wish.sku!r} on the menu."
    if item.withdrawn:
        return f"Item {wish.sku!r} was withdrawn from the menu."
    if not item.available:
        return f"Item {wish.sku!r} is not available now."
    return None
