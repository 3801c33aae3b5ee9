"""The JSON of the answers, for the API's documentation: answers are not validated again."""

from datetime import date

from comanda_contracts import Channel, Line, MenuItem, Restaurant, TicketStatus
from pydantic import AwareDatetime, BaseModel, Field

from query.views.status import ViewStatus


class TicketView(BaseModel):
    """How far the kitchen is with one round."""

    status: TicketStatus
    version: int
    started_at: AwareDatetime | None
    ready_at: AwareDatetime | None
    served_at: AwareDatetime | None


class RoundView(BaseModel):
    """Lines that were ordered together."""

    round: int
    lines: list[Line]
    ordered_at: AwareDatetime
    voided: bool
    total: int = Field(description="minor units of the currency, whether voided or not")
    ticket: TicketView | None = Field(description="null while the kitchen does not know of it")


class TimelineEntry(BaseModel):
    """Something that happened to the order or to one of its tickets."""

    at: AwareDatetime
    event: str = Field(examples=["placed", "started"])
    source: str = Field(examples=["ordering", "serving"])
    round: int | None
    version: int = Field(description="of the order, or of the round's ticket")
    actor: str | None


class OrderView(BaseModel):
    """An order, its tickets and what happened to them."""

    order_id: str
    restaurant: str
    number: str = Field(examples=["A-017"])
    business_day: date
    channel: Channel
    table: str | None
    guests: int | None
    customer: str | None
    phone: str | None
    currency: str
    status: ViewStatus = Field(description="derived from the order and its tickets")
    version: int = Field(description="of the order; what min_version is compared with")
    placed_at: AwareDatetime
    total: int = Field(description="minor units of the currency, without voided rounds")
    rounds: list[RoundView]
    timeline: list[TimelineEntry] = Field(description="oldest first")


class OrderList(BaseModel):
    """Orders of a restaurant, newest first."""

    orders: list[OrderView]


class Board(BaseModel):
    """Numbers to call out, oldest order first."""

    preparing: list[str]
    ready: list[str]


class Menu(BaseModel):
    """What a restaurant offers, by category and name."""

    restaurant: Restaurant
    items: list[MenuItem]
