"""A past for the reads: the same orders as events for Comanda and as rows for CRUD."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self
from uuid import UUID

import comanda_contracts as contracts
from comanda_contracts import Message, seal
from ordering.domain import order as domain
from ordering.outbound.transaction.rows import order_row
from uuid_utils.compat import uuid7

from tests.benchmarks.orders import MENU, RESTAURANT, TABLES

A_DAY = 3333
"""Orders of each day that is past: more of them are a longer past, not busier days."""
ACTIVE = 200

COOKING = timedelta(minutes=12)


def placed_and_closed(order: contracts.Order) -> tuple[contracts.OrderEvent, contracts.OrderEvent]:
    """What ordering says of an order from its beginning to its end."""
    closed = order.model_copy(update={"version": 2, "status": contracts.OrderStatus.CLOSED})
    return (
        contracts.OrderPlaced(order=order, at=order.placed_at),
        contracts.OrderClosed(order=closed, at=order.placed_at + COOKING),
    )


@dataclass(frozen=True, slots=True)
class Past:
    """Orders up to now, but for the `newest`; the newest `ACTIVE` of all are not over yet.

    They are made when they are asked for, the same ones each time, so that there may be very many.
    """

    count: int
    now: datetime
    newest: int = 0

    @classmethod
    def of(cls, count: int) -> Self:
        """So many orders up to this moment."""
        return cls(count, datetime.now(UTC))

    def longer(self, count: int) -> Self:
        """The orders that are still missing for a past of so many."""
        return replace(self, count=count, newest=self.count)

    @property
    def today(self) -> date:
        """The business day of the last `A_DAY` orders."""
        return self.now.date()

    def orders(self) -> Iterator[contracts.Order]:
        """As they were when they were placed, the oldest first."""
        return (self._placed(age) for age in self._ages())

    def messages(self) -> Iterator[Message]:
        """All that happened to them, each order's events in their order."""
        for age in self._ages():
            for event in _events(self._placed(age), over=_is_over(age), cooking=_is_new(age)):
                yield seal(event, event_id=uuid7())

    def rows(self) -> Iterator[tuple[tuple[Any, ...], list[tuple[Any, ...]]]]:
        """Each order as the CRUD service's row, and the rows of its lines."""
        for age in self._ages():
            order = self._placed(age)
            (ordered,) = order.rounds
            yield (
                _row(order, _crud_status(age)),
                [
                    (order.order_id, at, each.sku, each.name, each.unit_price, each.quantity, None)
                    for at, each in enumerate(ordered.lines)
                ],
            )

    def ordering_rows(self) -> Iterator[dict[str, Any]]:
        """Each order as ordering's row."""
        for age in self._ages():
            yield order_row(_decided(self._placed(age), over=_is_over(age), new=_is_new(age)))

    def some_ids(self, count: int = 2000, *, seed: int = 2) -> list[UUID]:
        """Orders to ask for, of any age."""
        chance = random.Random(seed)
        return [self._placed(chance.choice(self._ages())).order_id for _ in range(count)]

    def _ages(self) -> range:
        """How many orders are newer than each: the oldest order first."""
        return range(self.count - 1, self.newest - 1, -1)

    def _placed(self, age: int) -> contracts.Order:
        chance = random.Random(age)
        at = self.now - age * timedelta(days=1) / A_DAY
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        items = [chance.choice(MENU) for _ in range(chance.randint(1, 6))]
        lines = tuple(
            contracts.Line(
                sku=item.sku, name=item.name, unit_price=item.price, quantity=chance.randint(1, 3)
            )
            for item in items
        )
        return contracts.Order(
            restaurant=RESTAURANT,
            version=1,
            order_id=_uuid7(at, chance),
            number=f"A-{A_DAY - age % A_DAY:06}",
            business_day=self.today - timedelta(days=age // A_DAY),
            channel=contracts.Channel.DINE_IN,
            table=str(chance.randint(1, TABLES)),
            guests=2,
            currency="EUR",
            status=contracts.OrderStatus.OPEN,
            rounds=(contracts.Round(round=1, lines=lines, ordered_at=at),),
            total=sum(line.unit_price * line.quantity for line in lines),
            placed_at=at,
        )


def _is_over(age: int) -> bool:
    return age >= ACTIVE


def _is_new(age: int) -> bool:
    """Whether the kitchen has not begun with it."""
    return age < ACTIVE // 2


def _uuid7(at: datetime, chance: random.Random) -> UUID:
    """RFC 9562, section 5.7, the same one each time."""
    milliseconds = int(at.timestamp() * 1000)
    return UUID(
        int=milliseconds << 80
        | 0x7 << 76
        | chance.getrandbits(12) << 64
        | 0b10 << 62
        | chance.getrandbits(62)
    )


def _events(order: contracts.Order, *, over: bool, cooking: bool) -> Iterator[contracts.Event]:
    at = order.placed_at
    placed, closed = placed_and_closed(order)
    yield placed
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
    yield closed


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


def _decided(order: contracts.Order, *, over: bool, new: bool) -> domain.Order:
    """The order as ordering knows it at the end."""
    verdict = domain.KitchenVerdict.SERVED if over else domain.KitchenVerdict.STARTED
    (ordered,) = order.rounds
    return domain.Order(
        order_id=order.order_id,
        restaurant=order.restaurant,
        number=order.number,
        business_day=order.business_day,
        party=domain.DineIn(table=order.table or "", guests=order.guests or 1),
        currency=order.currency,
        rounds=(
            domain.Round(
                round=1,
                lines=tuple(domain.Line(**line.model_dump()) for line in ordered.lines),
                ordered_at=ordered.ordered_at,
            ),
        ),
        placed_at=order.placed_at,
        version=2 if over else 1,
        status=domain.OrderStatus.CLOSED if over else domain.OrderStatus.OPEN,
        verdicts={} if new else {1: verdict},
    )


def _crud_status(age: int) -> str:
    if _is_over(age):
        return "closed"
    return "placed" if _is_new(age) else "preparing"


def _row(order: contracts.Order, status: str) -> tuple[Any, ...]:
    begun, over = status != "placed", status == "closed"
    return (
        *(order.order_id, order.restaurant, order.number, order.business_day),
        *(order.channel, order.table, order.guests, None, None, order.currency),
        *(status, order.total, order.placed_at),
        *(order.placed_at if begun else None, order.placed_at + COOKING if over else None),
    )
