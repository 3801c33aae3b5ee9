"""Orders: what guests asked for. Owned by ordering."""

from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from comanda_contracts import subjects
from comanda_contracts.envelope import Count, Event, Instant, Money, Published, State
from comanda_contracts.known_values import KnownValues


class Channel(StrEnum):
    """The known ways in which an order reaches the guest."""

    DINE_IN = "dine_in"
    TAKEAWAY = "takeaway"


class OrderStatus(StrEnum):
    """The known statuses of an order as ordering sees it; the kitchen's part is in the tickets."""

    OPEN = "open"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    CLOSED = "closed"


AnyChannel = Annotated[Channel | str, KnownValues(Channel)]
AnyOrderStatus = Annotated[OrderStatus | str, KnownValues(OrderStatus)]


class Line(Published):
    """Some of one menu item, with its name and price as they were when it was ordered."""

    sku: str
    """The menu item."""
    name: str
    """Its name when it was ordered."""
    unit_price: Money
    """Price of one when it was ordered, in minor units of the order's currency."""
    quantity: Count
    """How many of it."""
    note: str | None = None
    """The guest's wish to the kitchen, such as `no basil`."""


class Round(Published):
    """The lines that were ordered together; the kitchen works on a round as one ticket."""

    round: Count
    """1, 2, 3, … in its order."""
    lines: tuple[Line, ...]
    """What was ordered."""
    ordered_at: Instant
    """When: UTC, to the millisecond."""
    voided: bool = False
    """True once the kitchen agreed not to make it; its lines are no part of the total."""


class Cancellation(Published):
    """A request to cancel that the kitchen has not settled yet."""

    rounds: tuple[Count, ...]
    """Numbers of the rounds that should not be made."""
    reason: str
    """Why, in the words of who asked."""
    actor: str | None = None
    """Who asked for it, where known."""
    requested_at: Instant
    """When: UTC, to the millisecond."""
    closes: bool = False
    """True if the business day has ended: what is begun is abandoned, and the order closes."""


class Order(State):
    """The whole order: `table` and `guests` if dine-in, `customer` and `phone` if takeaway."""

    order_id: UUID
    """Names the order for ever."""
    number: str
    """What people call it, such as `A-017`: unique per restaurant and business day."""
    business_day: date
    """The local date at the restaurant when the order was placed."""
    channel: AnyChannel
    """How it reaches the guest: `dine_in`, `takeaway`, or what a later version adds."""
    table: str | None = None
    """What the restaurant calls the table, if dine-in."""
    guests: Annotated[int, Field(ge=1)] | None = None
    """How many people sit there, if dine-in."""
    customer: str | None = None
    """Who comes to fetch it, if takeaway."""
    phone: str | None = None
    """Where to reach the customer, if takeaway and known."""
    currency: str
    """ISO 4217 code, such as `EUR`; every amount of the order is in its minor units."""
    status: AnyOrderStatus
    """As ordering sees it: `open`, `cancelling`, `cancelled`, `closed`, or what a later version
    adds: then the order is not over."""
    rounds: tuple[Round, ...]
    """In the order of their numbers, voided ones too."""
    total: Money
    """Sum of `unit_price * quantity` over the rounds that are not voided, in minor units."""
    placed_at: Instant
    """When the first round was ordered: UTC, to the millisecond."""
    cancellation: Cancellation | None = None
    """What is asked of the kitchen, while `status` is `cancelling`."""


class OrderEvent(Event):
    """Something happened to an order."""

    SOURCE: ClassVar[str] = "/comanda/ordering"

    order: Order
    """The whole order after the event."""

    @property
    def state(self) -> Order:
        return self.order

    @property
    def key(self) -> str:
        return str(self.order.order_id)

    @property
    def subject(self) -> str:
        return subjects.order(self.order.restaurant, self.order.order_id, self.leaf)


class OrderPlaced(OrderEvent):
    """A guest ordered; round 1 is for the kitchen."""

    TYPE: ClassVar[str] = "comanda.order.placed.v1"


class ItemsAdded(OrderEvent):
    """A further round was ordered; `round` is for the kitchen."""

    TYPE: ClassVar[str] = "comanda.order.items-added.v1"

    round: Count
    """Number of the round that was added."""


class CancellationRequested(OrderEvent):
    """Somebody wants `order.cancellation.rounds` cancelled; the kitchen has the last word.

    Or the business day has ended, as `order.cancellation.closes` says. The events that settle it
    repeat the reason, the actor and the sender that asked.
    """

    TYPE: ClassVar[str] = "comanda.order.cancellation-requested.v1"


class CancellationRefused(OrderEvent):
    """The kitchen had started `refused`, so the order stays open with what is not voided."""

    TYPE: ClassVar[str] = "comanda.order.cancellation-refused.v1"

    refused: tuple[Count, ...]
    """Numbers of the rounds that the kitchen had begun, and makes."""
    voided: tuple[Count, ...]
    """Numbers of the rounds that it does not make."""
    reason: str | None = None
    """Why the cancellation was asked for."""


class ItemsCancelled(OrderEvent):
    """The kitchen makes nothing of `rounds`; the order stays open with the others."""

    TYPE: ClassVar[str] = "comanda.order.items-cancelled.v1"

    rounds: tuple[Count, ...]
    """Numbers of the rounds that it does not make."""
    reason: str
    """Why the cancellation was asked for."""


class OrderCancelled(OrderEvent):
    """The kitchen makes nothing of this order; it is over."""

    TYPE: ClassVar[str] = "comanda.order.cancelled.v1"

    reason: str
    """Why the cancellation was asked for."""


class OrderClosed(OrderEvent):
    """The order is over: everything was served, or its business day ended."""

    TYPE: ClassVar[str] = "comanda.order.closed.v1"

    reason: str | None = None
    """Why it was closed without anybody asking for this order, such as `end of the day`."""


# decision/0066: a loss of streams is made good by restatements
class OrderRestated(OrderEvent):
    """Nothing happened: the order is said again as it is, after the streams lost messages.

    It has a version of its own: take its state as any. Whoever acts on `placed`, or on any other
    event, has nothing to do. The kitchen is told by it what it lost.
    """

    TYPE: ClassVar[str] = "comanda.order.restated.v1"

    open_rounds: tuple[Count, ...]
    """Numbers of the rounds that are still to be made or served, as far as ordering knows."""
    served_rounds: tuple[Count, ...]
    """Numbers of the rounds that the kitchen has served."""
    abandoned_rounds: tuple[Count, ...] = ()
    """Numbers of those that it made, and nobody served. What is in none, it does not make."""


# decision/0077: a guest is forgotten
class OrderForgotten(OrderEvent):
    """The guest wants to be forgotten: nothing in the order names him any more.

    No name, no phone number and no note is in it; numbers, times and prices are as they were. The
    order is over, and what was said of it before is erased from the stream and its archive. Whoever
    keeps something of it erases that too: all that is older than this version.
    """

    TYPE: ClassVar[str] = "comanda.order.forgotten.v1"
