"""A past for the reads: the same orders as events for Comanda and as rows for CRUD."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import comanda_contracts as contracts
from comanda_contracts import Message, seal
from uuid_utils.compat import uuid7

from tests.benchmarks.orders import MENU, RESTAURANT, TABLES

DAYS = 30
ACTIVE = 200

COOKING = timedelta(minutes=12)


@dataclass(frozen=True, slots=True)
class Past:
    """Orders of the last days, oldest first; the last `ACTIVE` of them are not over yet."""

    orders: list[contracts.Order]

    @property
    def today(self) -> date:
        return self.orders[-1].business_day

    @classmethod
    def of(cls, count: int, *, until: datetime, seed: int = 1) -> "Past":
        """`count` orders, evenly over the days until then."""
        chance = random.Random(seed)
        begin = datetime.combine(until.date() - timedelta(days=DAYS - 1), datetime.min.time(), UTC)
        step = (until - begin) / count
        return cls([_placed(chance, number, begin + number * step) for number in range(count)])

    def messages(self) -> Iterator[Message]:
        """All that happened to them, each order's events in their order."""
        for position, order in enumerate(self.orders, start=1):
            left = len(self.orders) - position
            for event in _events(order, over=left >= ACTIVE, cooking=left < ACTIVE // 2):
                yield seal(event, event_id=uuid7())

    def rows(self) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """The CRUD service's rows of orders and of lines."""
        orders, lines = [], []
        for position, order in enumerate(self.orders, start=1):
            left = len(self.orders) - position
            orders.append(_row(order, _crud_status(left)))
            (ordered,) = order.rounds
            lines += [
                (order.order_id, number, each.sku, each.name, each.unit_price, each.quantity, None)
                for number, each in enumerate(ordered.lines)
            ]
        return orders, lines


def _placed(chance: random.Random, number: int, at: datetime) -> contracts.Order:
    items = [chance.choice(MENU) for _ in range(chance.randint(1, 6))]
    lines = tuple(
        contracts.Line(
            sku=item.sku, name=item.name, unit_price=item.price, quantity=chance.randint(1, 3)
        )
        for item in items
    )
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    return contracts.Order(
        restaurant=RESTAURANT,
        version=1,
        order_id=uuid7(),
        number=f"A-{number:06}",
        business_day=at.date(),
        channel=contracts.Channel.DINE_IN,
        table=str(chance.randint(1, TABLES)),
        guests=2,
        currency="EUR",
        status=contracts.OrderStatus.OPEN,
        rounds=(contracts.Round(round=1, lines=lines, ordered_at=at),),
        total=sum(line.unit_price * line.quantity for line in lines),
        placed_at=at,
    )


def _events(order: contracts.Order, *, over: bool, cooking: bool) -> Iterator[contracts.Event]:
    at = order.placed_at
    yield contracts.OrderPlaced(order=order, at=at)
    ticket = _ticket(order)
    yield contracts.TicketQueued(ticket=ticket, at=at)
    if cooking:
        return
    started = ticket.model_copy(
        update={"version": 2, "status": contracts.TicketStatus.PREPARING, "started_at": at}
    )
    yield contracts.TicketStarted(ticket=started, at=at)
    if not over:
        return
    ready = started.model_copy(
        update={
            "version": 3,
            "status": contracts.TicketStatus.READY,
            "ready_at": at + COOKING,
        }
    )
    yield contracts.TicketReady(ticket=ready, at=at + COOKING)
    served = ready.model_copy(
        update={
            "version": 4,
            "status": contracts.TicketStatus.SERVED,
            "served_at": at + COOKING,
        }
    )
    yield contracts.TicketServed(ticket=served, at=at + COOKING)
    closed = order.model_copy(update={"version": 2, "status": contracts.OrderStatus.CLOSED})
    yield contracts.OrderClosed(order=closed, at=at + COOKING)


def _ticket(order: contracts.Order) -> contracts.Ticket:
    (ordered,) = order.rounds
    return contracts.Ticket(
        restaurant=order.restaurant,
        version=1,
        order_id=order.order_id,
        round=1,
        number=order.number,
        channel=order.channel,
        table=order.table,
        customer=None,
        lines=tuple(
            contracts.TicketLine(sku=line.sku, name=line.name, quantity=line.quantity)
            for line in ordered.lines
        ),
        ordered_at=ordered.ordered_at,
        status=contracts.TicketStatus.QUEUED,
    )


def _crud_status(left: int) -> str:
    if left >= ACTIVE:
        return "closed"
    return "placed" if left < ACTIVE // 2 else "preparing"


def _row(order: contracts.Order, status: str) -> tuple[Any, ...]:
    begun, over = status != "placed", status == "closed"
    return (
        *(order.order_id, order.restaurant, order.number, order.business_day),
        *(order.channel.value, order.table, order.guests, None, None, order.currency),
        *(status, order.total, order.placed_at),
        *(order.placed_at if begun else None, order.placed_at + COOKING if over else None),
    )


def some_ids(past: Past, count: int = 2000, *, seed: int = 2) -> list[UUID]:
    """Orders to ask for."""
    chance = random.Random(seed)
    return [chance.choice(past.orders).order_id for _ in range(count)]
