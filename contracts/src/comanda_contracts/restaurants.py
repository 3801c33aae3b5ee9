"""Restaurants: the venues whose orders Comanda takes."""

from typing import ClassVar

from comanda_contracts import subjects
from comanda_contracts.envelope import Event, State


class Restaurant(State):
    """One venue."""

    name: str
    """What guests read."""
    currency: str
    """ISO 4217 code; every price of the restaurant is in its minor units."""
    time_zone: str
    """IANA name, such as `Europe/Rome`; it decides the business day."""


class RestaurantEvent(Event):
    """Something happened to a restaurant."""

    SOURCE: ClassVar[str] = "/comanda/ordering"

    restaurant: Restaurant
    """The whole restaurant after the event."""

    @property
    def state(self) -> Restaurant:
        return self.restaurant

    @property
    def key(self) -> str:
        return self.restaurant.restaurant

    @property
    def subject(self) -> str:
        return subjects.restaurant(self.restaurant.restaurant, self.name)


class RestaurantSet(RestaurantEvent):
    """A restaurant was opened, or its name, currency or time zone changed."""

    TYPE: ClassVar[str] = "comanda.restaurant.set.v1"
