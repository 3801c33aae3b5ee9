"""Restaurants: the venues whose orders Comanda takes."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from comanda_contracts import subjects
from comanda_contracts.envelope import Event, State

LocalHour = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A time of day at the restaurant, `HH:MM`."""
MIDNIGHT = "00:00"


class Restaurant(State):
    """One venue."""

    name: str
    """What guests read."""
    currency: str
    """ISO 4217 code; every price of the restaurant is in its minor units."""
    time_zone: str
    """IANA name, such as `Europe/Rome`; it decides the business day."""
    day_begins: LocalHour = MIDNIGHT
    """Local hour at which its business days begin; a change holds from the next one. You need not
    reckon with it: each order carries its business day."""
    closes_days: bool = False
    """Whether a business day closes by itself when the next one begins: then what was forgotten,
    open orders and tickets, is settled."""


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
        return subjects.restaurant(self.restaurant.restaurant, self.leaf)


class RestaurantSet(RestaurantEvent):
    """A restaurant was opened, or its name, currency, time zone or the hour of its day changed."""

    TYPE: ClassVar[str] = "comanda.restaurant.set.v1"
