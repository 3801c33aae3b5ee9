"""Bodies of requests, and their parts in the words of the domain.

Commands are public, so their bodies are in the contracts; here are the bodies of HTTP alone, and
the one answer that is not the state of an aggregate. Every body is checked field by field before
anything else.
"""

import functools
from datetime import date, time
from typing import Annotated, assert_never
from zoneinfo import available_timezones

import iso4217
from comanda_contracts import MenuItem
from comanda_contracts.commands import (
    CancellationRequest,
    DineInOrderRequest,
    Name,
    PlaceOrderRequest,
    Reason,
    RequestBody,
    RoundRequest,
    TakeawayOrderRequest,
)
from comanda_contracts.envelope import Money
from comanda_contracts.restaurants import MIDNIGHT, LocalHour
from pydantic import BaseModel, Field, StringConstraints

from ordering.domain.menu import RequestedLine
from ordering.domain.order import DineIn, Party, Takeaway
from ordering.domain.restaurant import Restaurant

ACTOR_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]{0,80}$"


NO_PLACES = frozenset({"Factory", "localtime"})
"""Zones that the IANA database or the machine has, of no place."""

CURRENCIES = frozenset(each.code for each in iso4217.Currency if each.exponent is not None)
"""Those of ISO 4217 in which something has a price: not gold, not the codes for tests and none."""


@functools.cache
def time_zones() -> frozenset[str]:
    """The places of the IANA database; they are looked up in files."""
    return frozenset(available_timezones() - NO_PLACES)


Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class RestaurantBody(RequestBody):
    """A restaurant as it should be."""

    name: Name = Field(examples=["La Piazza"])
    """The name that guests read."""
    currency: Currency = Field(examples=["EUR"])
    """ISO 4217 code."""
    time_zone: str = Field(examples=["Europe/Rome"])
    """IANA name; it decides the business day."""
    day_begins: LocalHour = Field(default=MIDNIGHT, examples=["04:00"])
    """Local hour at which the business day begins. A change holds from the next business day."""
    closes_days: bool = False
    """Whether a business day closes by itself when the next one begins."""


class MenuItemBody(RequestBody):
    """A menu item as it should be."""

    name: Name = Field(examples=["Margherita"])
    """The name that guests read."""
    category: Name = Field(examples=["Pizza"])
    """Heading under which it stands on the menu."""
    price: Annotated[Money, Field(le=100_000_000)] = Field(examples=[850])
    """Price of one, in minor units of the restaurant's currency."""
    available: bool = True
    """False while the kitchen is out of it."""


class ReasonBody(RequestBody):
    """The reason for a change, if somebody gives one."""

    reason: Reason | None = Field(default=None, examples=["sold out"])
    """The reason in their words; it travels in the event."""


class DayClosingBody(RequestBody):
    """The business day to be closed, if another than the running one, and the reason."""

    business_day: date | None = Field(default=None, examples=["2026-05-04"])
    """The day, and all days before it; the running one if null or missing."""
    reason: Reason | None = Field(default=None, examples=["we are closing"])
    """The reason in their words; it travels in the events."""


class MenuAnswer(BaseModel):
    """The items that a restaurant offers."""

    items: list[MenuItem]


def wanted_restaurant(slug: str, body: RestaurantBody) -> Restaurant:
    """The restaurant as the body wants it."""
    return Restaurant(
        slug=slug,
        name=body.name,
        currency=body.currency,
        time_zone=body.time_zone,
        day_begins=time.fromisoformat(body.day_begins),
        closes_days=body.closes_days,
        version=1,
    )


def unlisted(body: RestaurantBody) -> dict[str, str]:
    """What is wrong with the names that are in no list, by field.

    A restaurant keeps one that has left its list, so this is no fault of the body by itself.
    """
    faults = {}
    if body.currency not in CURRENCIES:
        faults["currency"] = "is not a currency of ISO 4217"
    if body.time_zone not in time_zones():
        faults["time_zone"] = "is not an IANA time zone"
    return faults


def requested_lines(body: RoundRequest) -> tuple[RequestedLine, ...]:
    """The lines that the body requests."""
    return tuple(
        RequestedLine(sku=line.sku, quantity=line.quantity, note=line.note) for line in body.lines
    )


def party(body: PlaceOrderRequest) -> Party:
    """The guests that the order is for."""
    match body:
        case DineInOrderRequest(table=table, guests=guests):
            return DineIn(table=table, guests=guests)
        case TakeawayOrderRequest(customer=customer, phone=phone):
            return Takeaway(customer=customer, phone=phone)
        case _:
            assert_never(body)


def rounds_to_cancel(body: CancellationRequest) -> frozenset[int] | None:
    """The rounds that are to be cancelled; None stands for all."""
    return frozenset(body.rounds) if body.rounds else None
