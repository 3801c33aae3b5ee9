"""Menu items: what a restaurant offers, and at what price."""

from typing import ClassVar

from comanda_contracts import subjects
from comanda_contracts.envelope import Event, Money, State


class MenuItem(State):
    """One dish or drink of a restaurant."""

    sku: str
    """Names the item in its restaurant; it never changes."""
    name: str
    """What guests read."""
    category: str
    """Heading under which it stands on the menu, such as `Pizza`."""
    price: Money
    """Price of one, in minor units of the restaurant's currency."""
    available: bool
    """False while the kitchen is out of it."""
    withdrawn: bool = False
    """True once it has left the menu for good; its sku is not used again."""


class MenuEvent(Event):
    """Something happened to a menu item."""

    SOURCE: ClassVar[str] = "/comanda/ordering"

    item: MenuItem
    """The whole item after the event."""
    reason: str | None = None
    """Why, where somebody said so."""

    @property
    def state(self) -> MenuItem:
        return self.item

    @property
    def key(self) -> str:
        return self.item.sku

    @property
    def subject(self) -> str:
        return subjects.menu_item(self.item.restaurant, self.item.sku, self.leaf)


class MenuItemSet(MenuEvent):
    """An item was put on the menu, or its name, category, price or availability changed."""

    TYPE: ClassVar[str] = "comanda.menu.item-set.v1"


class MenuItemWithdrawn(MenuEvent):
    """An item left the menu for good."""

    TYPE: ClassVar[str] = "comanda.menu.item-withdrawn.v1"
