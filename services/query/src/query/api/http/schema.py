"""The JSON of the answers, for the API's documentation: answers are not validated again."""

from collections.abc import Mapping
from datetime import date
from typing import Literal
from uuid import UUID

from comanda_contracts import AnyChannel, AnyTicketStatus, Line, MenuItem, Restaurant
from comanda_contracts.envelope import Instant
from pydantic import BaseModel, Field, RootModel
from service_kit.http import problems

from query.views.orders.status import ViewStatus
from query.views.sales.report import By


class OrderBehind(BaseModel):
    """An order whose view is behind the version that was asked for."""

    order_id: UUID
    version: int = Field(description="that the view has; 0: it has none")
    wanted: int = Field(description="that was asked for")


class Problem(problems.Problem):
    """RFC 9457 problem details; `code` is for programs, `detail` for people."""

    version: int | None = Field(None, description="that the view of the order has")
    min_version: int | None = Field(None, description="that was asked for")
    behind: list[OrderBehind] | None = Field(None, description="where several orders are behind")


class TicketView(BaseModel):
    """How far the kitchen is with one round."""

    status: AnyTicketStatus
    version: int
    started_at: Instant | None
    ready_at: Instant | None
    served_at: Instant | None


class RoundView(BaseModel):
    """Lines that were ordered together."""

    round: int
    lines: list[Line]
    ordered_at: Instant
    voided: bool
    total: int = Field(description="minor units of the currency, whether voided or not")
    ticket: TicketView | None = Field(description="null while the kitchen does not know of it")


class TimelineEntry(BaseModel):
    """Something that happened to the order or to one of its tickets."""

    at: Instant
    event: str = Field(examples=["placed", "started"])
    source: str = Field(examples=["ordering", "serving"])
    round: int | None
    version: int = Field(description="of the order, or of the round's ticket")
    actor: str | None = Field(description="who did it, where known")
    reason: str | None = Field(description="why, of events that say so")


class Timeline(BaseModel):
    """Who did what to an order, when and why."""

    order_id: UUID
    entries: list[TimelineEntry] = Field(description="oldest first")


class ListedOrder(BaseModel):
    """An order and its tickets."""

    order_id: UUID
    restaurant: str
    number: str = Field(examples=["A-017"])
    business_day: date
    channel: AnyChannel
    table: str | None
    guests: int | None
    customer: str | None
    phone: str | None
    currency: str
    status: ViewStatus = Field(description="derived from the order and its tickets")
    version: int = Field(description="of the order; what min_version is compared with")
    placed_at: Instant
    total: int = Field(description="minor units of the currency, without voided rounds")
    rounds: list[RoundView]


class OrderView(ListedOrder):
    """An order, its tickets and what happened to them."""

    timeline: list[TimelineEntry] = Field(description="oldest first")


class ActiveOrders(BaseModel):
    """The orders to which something may still happen."""

    orders: list[OrderView]


class OrderList(BaseModel):
    """A page of a restaurant's orders."""

    orders: list[ListedOrder]
    next: str | None = Field(description="cursor of the page after this one; null at the end")
    left_out: list[UUID] = Field(
        default=[],
        description="ids of orders that can't be shown until their views are repaired; only then",
    )


class TableOrder(BaseModel):
    """An active order of guests at a table."""

    order_id: UUID
    number: str = Field(examples=["A-017"])
    version: int
    placed_at: Instant
    total: int = Field(description="minor units of the currency")
    status: ViewStatus


class Table(BaseModel):
    """A table at which guests sit."""

    table: str
    since: Instant = Field(description="when the first of its active orders was placed")
    status: ViewStatus = Field(description="of its orders the most urgent")
    guests: int
    open_total: int = Field(description="minor units of the currency")
    currency: str
    orders: list[TableOrder] = Field(description="its active orders, oldest first")


class TableList(BaseModel):
    """The occupied tables, table 2 before table 10."""

    tables: list[Table]
    left_out: list[UUID] = Field(
        default=[],
        description="ids of orders that can't be shown until their views are repaired; only then",
    )


class BoardOrder(BaseModel):
    """An order on the board."""

    order_id: UUID
    number: str = Field(description="to be called out", examples=["A-017"])
    channel: AnyChannel
    table: str | None = Field(examples=["7"])
    placed_at: Instant
    left_out: list[UUID] = Field(
        default=[],
        description="ids of orders that can't be shown until their views are repaired; only then",
    )


class PreparedOrder(BoardOrder):
    """An order of which something is not ready."""

    status: ViewStatus = Field(description="placed or preparing", examples=["placed"])
    position: int | None = Field(
        description="of its last waiting round in the kitchen's queue; null once all are begun",
        examples=[3],
    )
    estimated_ready_at: Instant | None = Field(
        description="when all of it will be ready, judging by how the kitchen worked lately; "
        "null while that is not known"
    )


class OrderWait(BaseModel):
    """How long one order has still to wait; every field is null once nothing of it is awaited."""

    order_id: UUID
    position: int | None = Field(
        description="of its last waiting round in the kitchen's queue; null once all are begun",
        examples=[3],
    )
    ready_from: Instant | None = Field(
        description="all of it will hardly be ready before, judging by how the kitchen worked "
        "lately; a whole minute, null while that is not known"
    )
    ready_until: Instant | None = Field(description="it will hardly take longer than this")


class ReadyOrder(BoardOrder):
    """An order that waits to be served or handed over."""

    ready_at: Instant | None = Field(description="when the last of it was ready")


class Board(BaseModel):
    """What is being prepared and what is ready, the oldest order first."""

    preparing: list[PreparedOrder]
    ready: list[ReadyOrder]


class Waiting(BaseModel):
    """How long guests waited; percentiles in seconds, within 1 % of the true ones."""

    count: int = Field(description="rounds", examples=[212])
    p50: float | None = Field(examples=[540.4])
    p90: float | None = Field(examples=[912.7])
    p95: float | None = Field(examples=[1030.2])
    p99: float | None = Field(examples=[1290.9])


class WaitingTimes(BaseModel):
    """From when a round was ordered."""

    ready: Waiting = Field(description="until the kitchen had it ready")
    served: Waiting = Field(description="until it was served or handed over")


class SalesFigures(BaseModel):
    """What was sold, without cancelled rounds and orders."""

    revenue: int = Field(description="minor units of the currency", examples=[486_350])
    orders: int = Field(examples=[163])
    average_basket: int | None = Field(
        description="revenue by order in minor units; null without orders", examples=[2984]
    )
    waiting: WaitingTimes


class DaySales(SalesFigures):
    """One business day."""

    day: date


class HourSales(SalesFigures):
    """One hour of a business day."""

    day: date
    hour: Instant = Field(description="when it began, in UTC")


class ChannelSales(SalesFigures):
    """One channel."""

    channel: AnyChannel


class CategorySales(BaseModel):
    """One category of the menu."""

    category: str | None = Field(
        description="as the menu has it now; null for what was never on it", examples=["Pizza"]
    )
    quantity: int = Field(examples=[211])
    revenue: int = Field(description="minor units of the currency", examples=[199_410])


class TopItem(BaseModel):
    """One item."""

    sku: str = Field(examples=["margherita"])
    name: str = Field(description="as it was when last ordered", examples=["Margherita"])
    quantity: int = Field(examples=[57])
    revenue: int = Field(description="minor units of the currency", examples=[48_450])
    orders: int = Field(description="that have it", examples=[41])
    last_ordered_at: Instant = Field(description="when the latest of them was placed")


class ItemSales(TopItem):
    """One item, with its category."""

    category: str | None = Field(
        description="as the menu has it now; null if it was never on it", examples=["Pizza"]
    )


class SalesTotals(BaseModel):
    """What was sold from business day `from` to `to`; or between two hours, without the last."""

    restaurant: str
    bounds: str = Field(
        description="what `from` and `to` are: business days (`2026-11-23`), or hours of UTC "
        "(`2026-11-23T18:00:00Z`)",
        examples=["days"],
        json_schema_extra={"x-extensible-enum": ["days", "hours"]},
    )
    begin: str = Field(alias="from", examples=["2026-11-23"])
    to: str = Field(examples=["2026-11-23"])
    currency: str
    as_of: Instant = Field(description="what was projected before this moment is counted")
    totals: SalesFigures


class TotalReport(SalesTotals):
    """Sales that are not grouped."""

    by: None
    groups: list[SalesFigures] = Field(description="there is none", max_length=0)


class DayReport(SalesTotals):
    """Sales by business day, in their order."""

    by: Literal["day"]
    groups: list[DaySales]


class HourReport(SalesTotals):
    """Sales by hour, in their order."""

    by: Literal["hour"]
    groups: list[HourSales]


class ChannelReport(SalesTotals):
    """Sales by channel."""

    by: Literal["channel"]
    groups: list[ChannelSales]


class ItemReport(SalesTotals):
    """Sales by item, the one with the highest revenue first."""

    by: Literal["item"]
    groups: list[ItemSales]


class CategoryReport(SalesTotals):
    """Sales by category of the menu, the one with the highest revenue first."""

    by: Literal["category"]
    groups: list[CategorySales]


REPORTS: Mapping[By | None, type[SalesTotals]] = {
    None: TotalReport,
    By.DAY: DayReport,
    By.HOUR: HourReport,
    By.CHANNEL: ChannelReport,
    By.ITEM: ItemReport,
    By.CATEGORY: CategoryReport,
}


class SalesReport(
    RootModel[DayReport | HourReport | ChannelReport | ItemReport | CategoryReport | TotalReport]
):
    """What was sold in a span of time; `by` tells the groups apart."""

    # The last is what generated clients take that try one after another and compare no null.


class TopItems(BaseModel):
    """The best items of one business day, by revenue."""

    restaurant: str
    day: date
    currency: str
    as_of: Instant | None = Field(
        description="what was projected before this moment is counted; null without sales"
    )
    items: list[TopItem]


class Menu(BaseModel):
    """What a restaurant offers, by category and name."""

    restaurant: Restaurant
    items: list[MenuItem]


class RestaurantList(BaseModel):
    """A page of restaurants, by slug."""

    restaurants: list[Restaurant]
    next: str | None = Field(description="the cursor of the next page; null on the last")


class ChainFigures(BaseModel):
    """What was sold."""

    revenue: int = Field(description="minor units of the currency", examples=[482_350])
    orders: int = Field(examples=[412])
    average_basket: int | None = Field(
        description="minor units of the currency; null without orders", examples=[1_171]
    )


class RestaurantFigures(ChainFigures):
    """What one restaurant sold."""

    restaurant: str = Field(examples=["la-piazza"])
    name: str = Field(examples=["La Piazza"])


class CurrencyFigures(ChainFigures):
    """What was sold in one currency."""

    currency: str = Field(examples=["EUR"])
    restaurants: list[RestaurantFigures] = Field(description="by revenue, the best first")


class ChainSales(BaseModel):
    """What several restaurants sold from business day `from` to `to`, summed by currency."""

    begin: date = Field(alias="from")
    to: date
    as_of: Instant = Field(description="what was projected before this moment is counted")
    currencies: list[CurrencyFigures]
