"""Strategies of hypothesis: what may happen to an order, and how news of it may come."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import comanda_contracts as contracts
from comanda_contracts import (
    AnyTicketStatus,
    Order,
    OrderEvent,
    OrderStatus,
    Ticket,
    TicketEvent,
    TicketStatus,
)
from hypothesis import strategies as st

from tests.query.builders import a_round, after, an_order, its_ticket

History = list[OrderEvent | TicketEvent]

COOLING, PAUSED = "cooling", "paused"
"""Statuses of a ticket and of an order that a later release may add."""

STEPS: dict[AnyTicketStatus, list[tuple[type[TicketEvent], AnyTicketStatus]]] = {
    TicketStatus.QUEUED: [
        (contracts.TicketStarted, TicketStatus.PREPARING),
        (contracts.TicketReady, TicketStatus.READY),
        (contracts.TicketVoided, TicketStatus.VOIDED),
    ],
    TicketStatus.PREPARING: [
        (contracts.TicketReady, TicketStatus.READY),
        (contracts.TicketVoidRefused, TicketStatus.PREPARING),
        (contracts.TicketStarted, COOLING),
        (contracts.TicketAbandoned, TicketStatus.ABANDONED),
    ],
    COOLING: [(contracts.TicketReady, TicketStatus.READY)],
    TicketStatus.READY: [
        (contracts.TicketServed, TicketStatus.SERVED),
        (contracts.TicketRecalled, TicketStatus.PREPARING),
        (contracts.TicketAbandoned, TicketStatus.ABANDONED),
    ],
    TicketStatus.SERVED: [(contracts.TicketRecalled, TicketStatus.READY)],
    TicketStatus.VOIDED: [],
    TicketStatus.ABANDONED: [],
}

TIME_OF: dict[type[TicketEvent], str] = {
    contracts.TicketStarted: "started_at",
    contracts.TicketRecalled: "started_at",
    contracts.TicketReady: "ready_at",
    contracts.TicketServed: "served_at",
}
"""The time of a ticket that its event sets."""

PLACED = st.sampled_from([0, 0, 1, 1800, 3600, 86400])
"""Seconds after noon when an order is placed: in some hours of two days."""

OVER = ("closed", "cancelled")

TEXTS = st.sampled_from(["no basil", "$5 off", "$total", "a.b", "", "ünïcode ☕", "$$ROOT"])


@dataclass
class _Telling:
    """A history in the making."""

    draw: st.DrawFn
    order: Order
    tickets: dict[int, Ticket] = field(default_factory=dict)
    events: History = field(default_factory=list)

    def now(self) -> datetime:
        """Time goes on, or stands still."""
        return after(len(self.events) * self.draw(st.sampled_from([0, 0.001, 1.5])))

    def change_order(
        self, event: type[OrderEvent], fields: dict[str, Any], **of_event: Any
    ) -> None:
        version = self.order.version + 1 if self.events else 1
        self.order = self.order.model_copy(update={**fields, "version": version})
        actor = self.draw(st.none() | TEXTS)
        self.events.append(event(order=self.order, at=self.now(), actor=actor, **of_event))

    def change_ticket(self, event: type[TicketEvent], ticket: Ticket) -> None:
        self.tickets[ticket.round] = ticket
        self.events.append(event(ticket=ticket, at=self.now()))

    def restate(self) -> None:
        """The order, and a ticket with a gap before its version."""
        self.change_order(contracts.OrderRestated, {}, open_rounds=(), served_rounds=())
        ticket = self.draw(st.sampled_from(sorted(self.tickets.items())))[1]
        version = max(ticket.version + 1, self.order.version * 1_000_000)
        again = ticket.model_copy(update={"version": version})
        self.change_ticket(contracts.TicketRestated, again)

    def forget(self) -> None:
        """The order, and then a ticket: the others are not yet."""
        self.change_order(contracts.OrderForgotten, {"customer": None})
        ticket = self.tickets[max(self.tickets)]
        without_name = {"version": ticket.version + 1, "customer": None}
        self.change_ticket(contracts.TicketForgotten, ticket.model_copy(update=without_name))

    def queue(self, number: int) -> None:
        self.change_ticket(contracts.TicketQueued, its_ticket(self.order, round=number))

    def add_round(self) -> None:
        number = len(self.order.rounds) + 1
        rounds = (*self.order.rounds, a_round(number))
        self.change_order(contracts.ItemsAdded, {"rounds": rounds}, round=number)
        self.queue(number)

    def void_what_the_kitchen_voided(self) -> None:
        voided = {n for n, each in self.tickets.items() if each.status is TicketStatus.VOIDED}
        rounds = tuple(
            each.model_copy(update={"voided": each.round in voided}) for each in self.order.rounds
        )
        self.change_order(
            contracts.CancellationRefused, {"rounds": rounds}, refused=(), voided=tuple(voided)
        )

    def work(self, number: int) -> None:
        """The kitchen does something to a ticket, if anything is left to do."""
        ticket = self.tickets[number]
        if steps := STEPS[ticket.status]:
            event, status = self.draw(st.sampled_from(steps))
            changes: dict[str, Any] = {"version": ticket.version + 1, "status": status}
            if event in TIME_OF:
                changes[TIME_OF[event]] = self.now()
            self.change_ticket(event, ticket.model_copy(update=changes))


@st.composite
def histories(draw: st.DrawFn) -> History:
    """All events of one order and its tickets, in the order in which they happened."""
    at = after(draw(PLACED))
    order = an_order(
        order_id=uuid.uuid4(),
        customer=draw(TEXTS),
        channel=draw(st.sampled_from([*contracts.Channel, "delivery"])),
        placed_at=at,
        business_day=at.date(),
    )
    telling = _Telling(draw, order)
    telling.change_order(contracts.OrderPlaced, {})
    telling.queue(1)
    for _ in range(draw(st.integers(0, 8))):
        happening = draw(st.sampled_from(["work", "work", "work", "round", "void", "restate"]))
        if happening == "work":
            telling.work(draw(st.sampled_from(sorted(telling.tickets))))
        elif happening == "round":
            telling.add_round()
        elif happening == "restate":
            telling.restate()
        else:
            telling.void_what_the_kitchen_voided()
    end = draw(st.sampled_from([None, "closed", "cancelling", "cancelled", "paused"]))
    if end == "closed":
        telling.change_order(contracts.OrderClosed, {"status": OrderStatus.CLOSED})
    if end == "paused":
        telling.change_order(contracts.ItemsCancelled, {"status": PAUSED}, rounds=(), reason="")
    if end in ("cancelling", "cancelled"):
        telling.change_order(contracts.CancellationRequested, {"status": OrderStatus.CANCELLING})
    if end == "cancelled":
        fields = {"status": OrderStatus.CANCELLED}
        telling.change_order(contracts.OrderCancelled, fields, reason=draw(TEXTS))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2])) if end in OVER else 0):
        telling.forget()
    return telling.events


@st.composite
def deliveries(draw: st.DrawFn, history: Sequence[OrderEvent | TicketEvent]) -> History:
    """All of the events in any order, some of them again."""
    again = draw(st.lists(st.sampled_from(history), max_size=6))
    return draw(st.permutations([*history, *again]))
