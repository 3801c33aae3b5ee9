"""What clients of ordering may send, and what it means to the application.

Commands are public, so their bodies are in the contracts; here are the bodies of HTTP alone, and
the one answer that is no state of anything.
Everything is checked field by field, before anything else.
"""

from typing import Annotated
from zoneinfo import available_timezones

from comanda_contracts import MenuItem
from comanda_contracts.commands import (
    CancellationRequest,
    DineInOrderRequest,
    Name,
    PlaceOrderRequest,
    Reason,
    RequestBody,
    RoundRequest,
)
from comanda_contracts.envelope import Money
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from ordering.domain.menu import Wish
from ordering.domain.order import DineIn, Party, Takeaway

ACTOR_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]{0,80}$"


def _known_time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is not an IANA time zone")
    return name


Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
TimeZone = Annotated[str, AfterValidator(_known_time_zone)]


class RestaurantBody(RequestBody):
    """A restaurant as it should be."""

    name: Name = Field(examples=["La Piazza"])
    """What guests read."""
    currency: Currency = Field(examples=["EUR"])
    """ISO 4217 code."""
    time_zone: TimeZone = Field(examples=["Europe/Rome"])
    """IANA name; it decides the business day."""


class MenuItemBody(RequestBody):
    """A menu item as it should be."""

    name: Name = Field(examples=["Margherita"])
    """What guests read."""
    category: Name = Field(examples=["Pizza"])
    """Heading under which it stands on the menu."""
    price: Annotated[Money, Field(le=100_000_000)] = Field(examples=[850])
    """Price of one, in minor units of the restaurant's currency."""
    available: bool = True
    """False while the kitchen is out of it."""


class ReasonBody(RequestBody):
    """Why somebody wants something, if they say so."""

    reason: Reason | None = Field(default=None, examples=["sold out"])
    """In their words; it travels in the event."""


class MenuAnswer(BaseModel):
    """What a restaurant offers."""

    items: list[MenuItem]


def wishes(asked: RoundRequest) -> tuple[Wish, ...]:
    """What the guests wish for."""
    return tuple(Wish(sku=line.sku, quantity=line.quantity, note=line.note) for line in asked.lines)


def party(asked: PlaceOrderRequest) -> Party:
    """Who the order is for."""
    if isinstance(asked, DineInOrderRequest):
        return DineIn(table=asked.table, guests=asked.guests)
    return Takeaway(customer=asked.customer, phone=asked.phone)


def only(asked: CancellationRequest) -> frozenset[int] | None:
    """The rounds that should be cancelled; None stands for all."""
    return frozenset(asked.rounds) if asked.rounds else None
