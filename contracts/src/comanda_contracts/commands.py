"""Commands: what a till may ask of ordering, over NATS or, in the same words, over HTTP.

A command is published to `commands.v1.<restaurant>.<command>` with header `Nats-Msg-Id`, which
names the request: sent again, it has no second effect. If header `Comanda-Reply-To` names a
subject below `replies.v1.`, the answer goes there: the order as it now is, or RFC 9457 problem
details; its header `Comanda-Status` is the HTTP status. Header `Comanda-Actor` says who asks.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from comanda_contracts.subjects import Sku

NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f-\x9f]*$"


def text(longest: int) -> StringConstraints:
    """Words of a person: something of it, on one line, without blanks around it."""
    return StringConstraints(
        strip_whitespace=True, min_length=1, max_length=longest, pattern=NO_CONTROL_CHARACTERS
    )


Name = Annotated[str, text(120)]
Table = Annotated[str, text(20)]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()/.-]{3,30}$")]
Note = Annotated[str, text(200)]
Reason = Annotated[str, text(200)]


class Asked(BaseModel):
    """What somebody asks for: nothing is coerced, and a field that is not known is an error."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class LineAsked(Asked):
    """Some of one menu item."""

    sku: Sku = Field(examples=["margherita"])
    """Which item of the restaurant's menu."""
    quantity: int = Field(ge=1, le=999, examples=[2])
    """How many of it."""
    note: Note | None = Field(default=None, examples=["no basil"])
    """A wish to the kitchen, if there is one."""


class LinesAsked(Asked):
    """Lines that are ordered together: one round for the kitchen."""

    lines: list[LineAsked] = Field(min_length=1, max_length=200)
    """At least one line."""


class DineInAsked(LinesAsked):
    """An order of guests at a table."""

    channel: Literal["dine_in"]
    """Tells it from a takeaway order."""
    table: Table = Field(examples=["12"])
    """What the restaurant calls the table."""
    guests: int = Field(ge=1, le=500, examples=[2])
    """How many people sit there."""


class TakeawayAsked(LinesAsked):
    """An order that a customer comes to fetch."""

    channel: Literal["takeaway"]
    """Tells it from an order at a table."""
    customer: Name = Field(examples=["Ada"])
    """The name that is called out when it is ready."""
    phone: Phone | None = Field(default=None, examples=["+39 06 1234567"])
    """Where to reach the customer, if they said so."""


class CancellationAsked(Asked):
    """A wish to cancel: the whole order, or the rounds that are named."""

    reason: Reason = Field(examples=["the guests left"])
    """Why; it travels in the events."""
    rounds: list[int] | None = Field(default=None, min_length=1, max_length=100, examples=[[2]])
    """Numbers of the rounds; null or missing stands for all of them."""


class ToOrder(Asked):
    """Names the order that a command is about, and the version it is meant for, if any."""

    order_id: UUID
    """The order's id, as in its events."""
    expected_version: int | None = Field(default=None, ge=1)
    """Refused (412) unless the order is at this version; null or missing stands for any."""


OrderAsked = Annotated[DineInAsked | TakeawayAsked, Field(discriminator="channel")]
"""`place-order`."""


class AddItems(ToOrder, LinesAsked):
    """A further round for an open order."""


class CancelOrder(ToOrder, CancellationAsked):
    """A wish to cancel an order, or rounds of it; the kitchen has the last word."""


class CloseOrder(ToOrder):
    """Everything was served and paid: the order is over."""


BODIES: dict[str, TypeAdapter[Any]] = {
    "place-order": TypeAdapter(OrderAsked),
    "add-items": TypeAdapter(AddItems),
    "cancel-order": TypeAdapter(CancelOrder),
    "close-order": TypeAdapter(CloseOrder),
}
"""What each command's body must be, by the command's name."""
