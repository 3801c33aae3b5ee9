"""Sales: what was sold in one hour, as a pure fold of its orders, and sums of such hours.

An order counts in the hour and on the business day when it was placed, with the rounds that are
not voided; one that is cancelled does not count at all. Each round has its own waiting time, from
when it was ordered.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from comanda_contracts import OrderStatus, TicketStatus

from query.views.merge import AggregateState, Document
from query.views.sales import histogram
from query.views.sales.histogram import Histogram, epoch_seconds

PREPARATION_SAMPLES_MAX = 60
"""The latest rounds whose preparation times are kept."""

WAS_READY = frozenset({TicketStatus.READY, TicketStatus.SERVED, TicketStatus.ABANDONED})


@dataclass(slots=True)
class Figures:
    """Revenue and orders, and how long guests waited for rounds to be ready and to be served."""

    revenue: int = 0
    """In minor units of the currency."""
    orders: int = 0
    ready: Histogram = field(default_factory=dict)
    served: Histogram = field(default_factory=dict)

    def add(self, other: "Figures") -> None:
        self.revenue += other.revenue
        self.orders += other.orders
        histogram.add(self.ready, other.ready)
        histogram.add(self.served, other.served)


@dataclass(slots=True)
class Sold:
    """The sales of one item."""

    sku: str
    last: tuple[datetime, str]
    """The time at which it was last ordered, and its name then."""
    quantity: int = 0
    revenue: int = 0
    orders: int = 0

    def add(self, other: "Sold") -> None:
        self.last = max(self.last, other.last)
        self.quantity += other.quantity
        self.revenue += other.revenue
        self.orders += other.orders


@dataclass(slots=True)
class Sales:
    """The sales of some time. Sums are the same in whatever order they are made."""

    currency: str | None = None
    channels: dict[str, Figures] = field(default_factory=dict)
    items: dict[str, Sold] = field(default_factory=dict)
    preparations: list[list[float]] = field(default_factory=list)
    """By round, of the latest: when it was ready (in seconds since the epoch), the seconds that its
    preparation took, and the seconds that it was queued before. Stored as `made`."""

    @classmethod
    def of(cls, orders: Iterable[Document]) -> Self:
        """The sales of these orders."""
        sales = cls()
        for each in orders:
            sales.add_order(each)
        return sales

    @classmethod
    def stored(cls, document: Document) -> Self:
        """The sales that gave this `document`; parts that were not read back are empty."""
        return cls(
            document["currency"],
            {name: Figures(**each) for name, each in document.get("channels", {}).items()},
            {each["sku"]: _sold(**each) for each in document.get("items", ())},
            document.get("made", []),
        )

    def document(self) -> Document:
        """The sales as the store holds them: the items by revenue, the best first."""
        return {
            "currency": self.currency,
            "channels": {name: asdict(self.channels[name]) for name in sorted(self.channels)},
            "items": [item_of(each) for each in self.ranked],
            "made": heapq.nlargest(PREPARATION_SAMPLES_MAX, self.preparations),
        }

    @property
    def ranked(self) -> list[Sold]:
        """The items by revenue, the best first."""
        return sorted(self.items.values(), key=lambda each: (-each.revenue, each.sku))

    @property
    def total(self) -> Figures:
        """The figures of all channels together."""
        total = Figures()
        for figures in self.channels.values():
            total.add(figures)
        return total

    def add(self, other: "Sales") -> None:
        """Add the sales of another time."""
        self.currency = self.currency or other.currency
        for name, figures in other.channels.items():
            self.channels.setdefault(name, Figures()).add(figures)
        for sku, sold in other.items.items():
            if sku in self.items:
                self.items[sku].add(sold)
            else:
                self.items[sku] = replace(sold)
        self.preparations = self.preparations + other.preparations

    def add_order(self, document: Document) -> None:
        """Add one known order, unless it was cancelled or all of its rounds were voided."""
        order, tickets = document["order"], document.get("tickets", {})
        rounds = [each for each in order["rounds"] if not each.get("voided")]
        if order["status"] == OrderStatus.CANCELLED or not rounds:
            return
        self.currency = self.currency or order["currency"]
        figures = self.channels.setdefault(order["channel"], Figures())
        figures.orders += 1
        figures.revenue += sum(each["total"] for each in rounds)
        self._add_items(order["placed_at"], [line for each in rounds for line in each["lines"]])
        for each in rounds:
            if ticket := tickets.get(str(each["round"])):
                self._add_waiting(figures, each["ordered_at"], ticket)

    def _add_items(self, at: datetime, lines: Sequence[AggregateState]) -> None:
        for line in lines:
            last = (at, line["name"])
            sold = self.items.setdefault(line["sku"], Sold(line["sku"], last))
            sold.last = max(sold.last, last)
            sold.quantity += line["quantity"]
            sold.revenue += line["quantity"] * line["unit_price"]
        for sku in {line["sku"] for line in lines}:
            self.items[sku].orders += 1

    def _add_waiting(self, figures: Figures, ordered_at: str, ticket: AggregateState) -> None:
        """A round that was recalled is not ready, or served, any more, whatever its times say."""
        if ticket["status"] not in WAS_READY or not ticket["ready_at"]:
            return
        ordered, ready = epoch_seconds(ordered_at), epoch_seconds(ticket["ready_at"])
        histogram.count(figures.ready, ready - ordered)
        if ticket["started_at"]:
            started = epoch_seconds(ticket["started_at"])
            self.preparations.append([ready, ready - started, started - ordered])
        if ticket["status"] == TicketStatus.SERVED and ticket["served_at"]:
            histogram.count(figures.served, epoch_seconds(ticket["served_at"]) - ordered)


def item_of(sold: Sold) -> Document:
    """An item as the store holds it and as reports have it."""
    last, name = sold.last
    return {
        "sku": sold.sku,
        "name": name,
        "quantity": sold.quantity,
        "revenue": sold.revenue,
        "orders": sold.orders,
        "last_ordered_at": last,
    }


def _sold(*, name: str, last_ordered_at: datetime, **figures: Any) -> Sold:
    return Sold(last=(last_ordered_at, name), **figures)


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of UTC on one business day of a restaurant: its orders are summed up together."""

    restaurant: str
    day: str
    start: datetime

    @classmethod
    def of(cls, restaurant: str, order: AggregateState) -> Self:
        """The hour when the order was placed; no later event can change that."""
        start = order["placed_at"].replace(minute=0, second=0, microsecond=0)
        return cls(restaurant, order["business_day"], start)


@dataclass(frozen=True, slots=True)
class Span:
    """Some time of a restaurant: business days, and of them the hours from `start` until `end`."""

    restaurant: str
    first_day: str
    last_day: str
    """It is part of the span."""
    start: datetime | None = None
    end: datetime | None = None
    """It is no part of the span; UTC, a full hour, without a zone as the store has it."""


@dataclass(frozen=True, slots=True)
class Period:
    """The sales of one business day, or of one hour of it."""

    day: str
    hour: datetime | None
    sales: Sales


@dataclass(frozen=True, slots=True)
class SalesSummary:
    """The sales of a span by periods, the oldest first."""

    periods: list[Period]
    as_of: datetime
    """Whatever was projected before this time is counted."""
