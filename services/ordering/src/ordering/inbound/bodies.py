"""What clients of ordering may send: checked here, field by field, before anything else."""

from typing import Annotated, Literal
from zoneinfo import available_timezones

from comanda_contracts.envelope import Money
from comanda_contracts.subjects import Sku
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from ordering.domain.menu import Wish
from ordering.domain.order import DineIn, Party, Takeaway

ACTOR_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]{0,80}$"
NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f-\x9f]*$"


def _text(longest: int) -> StringConstraints:
    return StringConstraints(
        strip_whitespace=True, min_length=1, max_length=longest, pattern=NO_CONTROL_CHARACTERS
    )


def _known_time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is not an IANA time zone")
    return name


Name = Annotated[str, _text(120)]
Table = Annotated[str, _text(20)]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()/.-]{3,30}$")]
Note = Annotated[str, _text(200)]
Reason = Annotated[str, _text(200)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
TimeZone = Annotated[str, AfterValidator(_known_time_zone)]


class Body(BaseModel):
    """A request's body: nothing is coerced, and a field that is not known is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RestaurantBody(Body):
    """A restaurant as it should be."""

    name: Name = Field(examples=["La Piazza"])
    currency: Currency = Field(examples=["EUR"])
    time_zone: TimeZone = Field(examples=["Europe/Rome"])


class MenuItemBody(Body):
    """A menu item as it should be; `price` in minor units of the restaurant's currency."""

    name: Name = Field(examples=["Margherita"])
    category: Name = Field(examples=["Pizza"])
    price: Annotated[Money, Field(le=100_000_000)] = Field(examples=[850])
    available: bool = True


class LineBody(Body):
    """Some of one menu item."""

    sku: Sku = Field(examples=["margherita"])
    quantity: int = Field(ge=1, le=999, examples=[2])
    note: Note | None = Field(default=None, examples=["no basil"])

    def wish(self) -> Wish:
        """What the guest wishes for."""
        return Wish(sku=self.sku, quantity=self.quantity, note=self.note)


class LinesBody(Body):
    """Lines that are ordered together."""

    lines: list[LineBody] = Field(min_length=1, max_length=200)

    def wishes(self) -> tuple[Wish, ...]:
        """What the guests wish for."""
        return tuple(line.wish() for line in self.lines)


class DineInBody(LinesBody):
    """An order of guests at a table."""

    channel: Literal["dine_in"]
    table: Table = Field(examples=["12"])
    guests: int = Field(ge=1, le=500, examples=[2])

    def party(self) -> Party:
        """Who the order is for."""
        return DineIn(table=self.table, guests=self.guests)


class TakeawayBody(LinesBody):
    """An order that a customer comes to fetch."""

    channel: Literal["takeaway"]
    customer: Name = Field(examples=["Ada"])
    phone: Phone | None = Field(default=None, examples=["+39 06 1234567"])

    def party(self) -> Party:
        """Who the order is for."""
        return Takeaway(customer=self.customer, phone=self.phone)


class CancelBody(Body):
    """A wish to cancel: the whole order, or the rounds that are named."""

    reason: Reason = Field(examples=["the guests left"])
    rounds: list[int] | None = Field(default=None, min_length=1, max_length=100, examples=[[2]])

    def only(self) -> frozenset[int] | None:
        """The rounds that are named; None stands for all."""
        return frozenset(self.rounds) if self.rounds else None


class ReasonBody(Body):
    """Why somebody wants something, if they say so."""

    reason: Reason | None = Field(default=None, examples=["sold out"])


OrderBody = Annotated[DineInBody | TakeawayBody, Field(discriminator="channel")]
