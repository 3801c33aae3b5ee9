"""Tickets: the kitchen's work for one round of an order. Owned by serving."""

from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from comanda_contracts import subjects
from comanda_contracts.envelope import Count, Event, Instant, Published, State
from comanda_contracts.known_values import KnownValues
from comanda_contracts.orders import AnyChannel


class TicketStatus(StrEnum):
    """The known places of a round on its way from the till to the guest."""

    QUEUED = "queued"
    PREPARING = "preparing"
    READY = "ready"
    SERVED = "served"
    VOIDED = "voided"
    ABANDONED = "abandoned"


AnyTicketStatus = Annotated[TicketStatus | str, KnownValues(TicketStatus)]


class TicketLine(Published):
    """How much of what to make."""

    sku: str
    """The menu item."""
    name: str
    """Its name when it was ordered."""
    quantity: Count
    """How many of it."""
    note: str | None = None
    """The guest's wish to the kitchen, such as `no basil`."""


class Ticket(State):
    """The whole ticket. A time is that of the latest such change, None if there was none."""

    order_id: UUID
    """The order."""
    round: Count
    """The round of the order: the ticket is known by both."""
    number: str
    """The order's human number, such as `A-017`."""
    channel: AnyChannel
    """How the order reaches the guest: `dine_in`, `takeaway`, or what a later version adds."""
    table: str | None = None
    """Where to carry it, if dine-in."""
    guests: Count | None = None
    """How many sit there, if that is known."""
    customer: str | None = None
    """Who comes to fetch it, if takeaway."""
    lines: tuple[TicketLine, ...]
    """What to make."""
    status: AnyTicketStatus
    """Where the round is on its way: `queued`, `preparing`, `ready`, `served`, `voided`,
    `abandoned`, or what a later version adds: then the kitchen is still at it."""
    ordered_at: Instant
    """When the guest ordered the round, which decides its place in the queue: UTC."""
    started_at: Instant | None = None
    """When a cook last began it: UTC, to the millisecond."""
    ready_at: Instant | None = None
    """When it last was ready: UTC, to the millisecond."""
    served_at: Instant | None = None
    """When it was carried to the table, or handed over: UTC, to the millisecond."""


class TicketEvent(Event):
    """Something happened to a ticket."""

    SOURCE: ClassVar[str] = "/comanda/serving"

    ticket: Ticket
    """The whole ticket after the event."""

    @property
    def state(self) -> Ticket:
        return self.ticket

    @property
    def key(self) -> str:
        return f"{self.ticket.order_id}/{self.ticket.round}"

    @property
    def subject(self) -> str:
        ticket = self.ticket
        return subjects.ticket(ticket.restaurant, ticket.order_id, ticket.round, self.leaf)


class TicketQueued(TicketEvent):
    """The kitchen knows of the round and has not begun."""

    TYPE: ClassVar[str] = "comanda.ticket.queued.v1"


class TicketStarted(TicketEvent):
    """A cook began; the round can't be voided any more."""

    TYPE: ClassVar[str] = "comanda.ticket.started.v1"


class TicketReady(TicketEvent):
    """The round waits on the pass."""

    TYPE: ClassVar[str] = "comanda.ticket.ready.v1"


class TicketRecalled(TicketEvent):
    """It was not ready after all, and the kitchen works on it again (`preparing`); or it was not
    served after all, and waits on the pass again (`ready`).
    """

    TYPE: ClassVar[str] = "comanda.ticket.recalled.v1"


class TicketServed(TicketEvent):
    """It was carried to the table, or handed over."""

    TYPE: ClassVar[str] = "comanda.ticket.served.v1"


class TicketVoided(TicketEvent):
    """The kitchen agreed not to make it."""

    TYPE: ClassVar[str] = "comanda.ticket.voided.v1"


class TicketVoidRefused(TicketEvent):
    """The kitchen was asked not to make it, and had already begun."""

    TYPE: ClassVar[str] = "comanda.ticket.void-refused.v1"


# decision/0076: a business day is closed by a command
class TicketAbandoned(TicketEvent):
    """The business day ended while it was being made or waited on the pass: nobody serves it.

    Unlike what is voided it was made, and stays in the order's total.
    """

    TYPE: ClassVar[str] = "comanda.ticket.abandoned.v1"


# decision/0066: a loss of streams is made good by restatements
class TicketRestated(TicketEvent):
    """Nothing happened: the ticket is said again as it is, after the streams lost messages.

    Its version is above all that anyone can have seen of the ticket: there may be a gap before it.
    Times that went with the lost events are null. Whoever acts on `queued` has nothing to do.
    """

    TYPE: ClassVar[str] = "comanda.ticket.restated.v1"


# decision/0077: a guest is forgotten
class TicketForgotten(TicketEvent):
    """The guest wants to be forgotten: nothing in the ticket names him any more.

    No name and no note is in it; its status and times are as they were. What was said of the ticket
    before is erased from the stream and its archive.
    """

    TYPE: ClassVar[str] = "comanda.ticket.forgotten.v1"
