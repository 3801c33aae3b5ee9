"""The menu: what can be ordered, and at what price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ordering.domain.events import DomainEvent, Sender
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
        self,
        available: bool,
        *,
        reason: str | None,
        at: datetime,
        actor: str | None,
        by: Sender | None = None,
    ) -> "MenuItemSet | None":
        """Offer the item, or stop to for a while; None if that is so already.

        Raises WithdrawnMenuItem if it has left the menu for good.
        """
        changed = replace(self, available=available)
        return set_menu_item(self, changed, reason=reason, at=at, actor=actor, by=by)

    def restate(self, *, at: datetime) -> "MenuItemSet | MenuItemWithdrawn":
        """Say again what the item is, at its next version; nothing changes."""
        again: type[MenuItemSet | MenuItemWithdrawn] = (
            MenuItemWithdrawn if self.withdrawn else MenuItemSet
        )
        return again(item=replace(self, version=self.version + 1), reason=None, at=at, actor=None)

    def withdraw(
        self, *, reason: str | None, at: datetime, actor: str | None, by: Sender | None = None
    ) -> "MenuItemWithdrawn | None":
        """Take the item off the menu for good; None if it is off already."""
        if self.withdrawn:
            return None
        withdrawn = replace(self, withdrawn=True, available=False, version=self.version + 1)
        return MenuItemWithdrawn(item=withdrawn, reason=reason, at=at, actor=actor, by=by)


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuItemEvent(DomainEvent):
    """Something happened to a menu item; `item` is the whole of it afterwards.

    `reason` is None where nobody gave one.
    """

    item: MenuItem
    reason: str | None


class MenuItemSet(MenuItemEvent):
    """An item was put on the menu or changed."""


class MenuItemWithdrawn(MenuItemEvent):
    """An item left the menu for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedLine:
    """A line as a guest requests it, before the menu gives it a name and a price."""

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
    by: Sender | None = None,
) -> MenuItemSet | None:
    """Make the item as wanted, whatever version `wanted` has; None if it is so already.

    Raises WithdrawnMenuItem if it has left the menu for good.
    """
    if current is None:
        new = replace(wanted, version=1)
        return MenuItemSet(item=new, reason=reason, at=at, actor=actor, by=by)
    if current.withdrawn:
        raise WithdrawnMenuItem(current.sku)
    if replace(wanted, version=current.version) == current:
        return None
    changed = replace(wanted, version=current.version + 1)
    return MenuItemSet(item=changed, reason=reason, at=at, actor=actor, by=by)


def price(
    requested_lines: Sequence[RequestedLine], menu: Mapping[str, MenuItem]
) -> tuple[Line, ...]:
    """Turn requested lines into lines with the names and prices of this menu.

    Raises CannotOrder, naming every line that the menu does not offer.
    """
    reasons = ((index, _objection(line, menu)) for index, line in enumerate(requested_lines))
    bad = [BadLine(index, reason) for index, reason in reasons if reason]
    if bad:
        raise CannotOrder(bad)
    return tuple(
        Line(
            sku=line.sku,
            name=menu[line.sku].name,
            unit_price=menu[line.sku].price,
            quantity=line.quantity,
            note=line.note,
        )
        for line in requested_lines
    )


def _objection(line: RequestedLine, menu: Mapping[str, MenuItem]) -> str | None:
    """Why the menu does not offer this line; None if it does."""
    item = menu.get(line.sku)
    if item is None:
        return f"There is no item {line.sku!r} on the menu."
    if item.withdrawn:
        return f"Item {line.sku!r} was withdrawn from the menu."
    if not item.available:
        return f"Item {line.sku!r} is not available now."
    return None
