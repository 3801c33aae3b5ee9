"""The commands that a till may give to ordering, over NATS or, with the same bodies, over HTTP.

A command is published to `commands.v1.<restaurant>.<command>` with header `Comanda-Request-Id`,
which names the request in its restaurant: sent again within a day, it has no second effect and is
answered again. (A command without it may still be named by `Nats-Msg-Id`, for one release; its
stream drops a second one of the same name for a while.) Header `Comanda-Expires`, a time by RFC
3339, says until when the command may take effect; without it that is ten minutes after it was
stored. If header `Comanda-Reply-To` names a subject below `replies.v1.`, the answer goes there: the
order as it now is, or RFC 9457 problem details; its header `Comanda-Status` is the HTTP status.
Header `Authorization`, `Bearer` and an access token, says who sends it; `Comanda-Actor` names
another actor than the token's subject.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from comanda_contracts.subjects import Sku

REQUEST_ID_PATTERN = r"^[\x21-\x7e]{1,128}$"
"""What a `Comanda-Request-Id` looks like: visible ASCII letters, without blanks."""

EXPIRES_AFTER_S = 600
"""Seconds after which a command without `Comanda-Expires` takes no effect any more."""

NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f-\x9f]*$"


def text(max_length: int) -> StringConstraints:
    """Text that a person typed: not empty, on one line, blanks around it are removed."""
    return StringConstraints(
        strip_whitespace=True, min_length=1, max_length=max_length, pattern=NO_CONTROL_CHARACTERS
    )


Name = Annotated[str, text(120)]
Table = Annotated[str, text(20)]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()/.-]{3,30}$")]
Note = Annotated[str, text(200)]
Reason = Annotated[str, text(200)]


class RequestBody(BaseModel):
    """The body of a request: nothing is coerced, and a field that is not known is an error."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class RequestedLine(RequestBody):
    """A quantity of one menu item."""

    sku: Sku = Field(examples=["margherita"])
    """The item of the restaurant's menu."""
    quantity: int = Field(ge=1, le=999, examples=[2])
    """How many of it."""
    note: Note | None = Field(default=None, examples=["no basil"])
    """A note to the kitchen, if there is one."""


class RoundRequest(RequestBody):
    """Lines that are ordered together: one round for the kitchen."""

    lines: list[RequestedLine] = Field(min_length=1, max_length=200)
    """At least one line."""


class DineInOrderRequest(RoundRequest):
    """An order of guests at a table."""

    channel: Literal["dine_in"]
    """Tells it from a takeaway order."""
    table: Table = Field(examples=["12"])
    """What the restaurant calls the table."""
    guests: int = Field(ge=1, le=500, examples=[2])
    """How many people sit there."""


class TakeawayOrderRequest(RoundRequest):
    """An order that a customer comes to fetch."""

    channel: Literal["takeaway"]
    """Tells it from an order at a table."""
    customer: Name = Field(examples=["Ada"])
    """The name that is called out when it is ready."""
    phone: Phone | None = Field(default=None, examples=["+39 06 1234567"])
    """Where to reach the customer, if they said so."""


class CancellationRequest(RequestBody):
    """A request to cancel the whole order, or the rounds that are named."""

    reason: Reason = Field(examples=["the guests left"])
    """The reason; it travels in the events."""
    rounds: list[int] | None = Field(default=None, min_length=1, max_length=100, examples=[[2]])
    """Numbers of the rounds; null or missing stands for all of them."""


class OrderCommand(RequestBody):
    """A command to one order, and the version it is meant for, if any."""

    order_id: UUID
    """The order's id, as in its events."""
    expected_version: int | None = Field(default=None, ge=1)
    """Refused (412) unless the order is at this version; null or missing stands for any."""


PlaceOrderRequest = Annotated[
    DineInOrderRequest | TakeawayOrderRequest, Field(discriminator="channel")
]
"""The body of `place-order`."""


class AddItems(OrderCommand, RoundRequest):
    """A further round for an open order."""


class CancelOrder(OrderCommand, CancellationRequest):
    """A request to cancel an order, or rounds of it; the kitchen has the last word."""


class CloseOrder(OrderCommand):
    """Everything was served and paid: the order is over."""


COMMAND_BODIES: dict[str, TypeAdapter[Any]] = {
    "place-order": TypeAdapter(PlaceOrderRequest),
    "add-items": TypeAdapter(AddItems),
    "cancel-order": TypeAdapter(CancelOrder),
    "close-order": TypeAdapter(CloseOrder),
}
"""The model of each command's body, by the command's name."""
