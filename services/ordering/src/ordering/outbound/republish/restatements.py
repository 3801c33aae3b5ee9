"""Restates what PostgreSQL has: restaurants, menu items and orders, through the outbox."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Text, bindparam, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from ordering.application.restate import (
    RestateOrder,
    restate_item,
    restate_order,
    restate_restaurant,
)
from ordering.domain.order import OrderStatus
from ordering.domain.refusals import Refusal
from ordering.outbound.database.tables import MenuItemRow, OrderRow, RestaurantRow, table
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.outbox.outbox import COUNTED_MAX, count_unpublished
from ordering.outbound.transaction.group_commit import Command, GroupCommit

PAGE_ROWS = 1_000
"""Rows that are read at a time."""
IN_FLIGHT = 200
"""Aggregates that are restated at once."""
BACKLOG_MAX_EVENTS = COUNTED_MAX
"""Unpublished events with which the relay is given time: what is ordered now comes behind them."""
BACKLOG_CHECK_INTERVAL_S = 0.1

FROM_THE_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
UNFINISHED = (OrderStatus.OPEN.value, OrderStatus.CANCELLING.value)

UseCase = Callable[..., Awaitable[Any]]
"""Restates one aggregate, given the `transaction` and the time, `at`."""
UseCaseOf = Callable[[Any], UseCase]
"""The use case for the aggregate whose key is in a row."""

RESTAURANTS, ITEMS, ORDERS = table(RestaurantRow), table(MenuItemRow), table(OrderRow)

SELECT_RESTAURANTS = (
    select(RESTAURANTS.c.restaurant)
    .where(RESTAURANTS.c.restaurant > bindparam("restaurant"))
    .order_by(RESTAURANTS.c.restaurant)
    .limit(PAGE_ROWS)
)
SELECT_ITEMS = (
    select(ITEMS.c.restaurant, ITEMS.c.sku)
    .where(
        tuple_(ITEMS.c.restaurant, ITEMS.c.sku)
        > tuple_(bindparam("restaurant", type_=Text), bindparam("sku", type_=Text))
    )
    .order_by(ITEMS.c.restaurant, ITEMS.c.sku)
    .limit(PAGE_ROWS)
)
SELECT_ORDERS = (
    select(ORDERS.c.restaurant, ORDERS.c.id, ORDERS.c.status, ORDERS.c.placed_at)
    .where(ORDERS.c.id > bindparam("id"))
    .order_by(ORDERS.c.id)
    .limit(PAGE_ROWS)
)
"""All of them: a page that left most out would take longer than a statement may."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The orders to restate: the unfinished ones, and those that were placed after `since`.

    Those that are placed after `until`, when it begins, lose nothing any more.
    """

    since: datetime
    until: datetime

    def has(self, order: Any) -> bool:
        """Whether the order of this row is in it."""
        is_wanted = order.status in UNFINISHED or order.placed_at > self.since
        return bool(is_wanted and order.placed_at <= self.until)


@dataclass(slots=True)
class Counts:
    """Numbers of aggregates; `unfinished` are among the `orders`."""

    restaurants: int = 0
    items: int = 0
    orders: int = 0
    unfinished: int = 0


# decision/0066: a loss of streams is made good by restatements
class Restatements:
    """Has the present state published again by the relays of the running service.

    Safe to repeat, and to interrupt anywhere: each aggregate is said again by a transaction of its
    commands' kind, at its next version, and to say it once more has no further effect.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        new_id: Callable[[], UUID],
        clock: Callable[[], datetime],
        waits_for_relay: Callable[[], None] = lambda: None,
    ) -> None:
        """`waits_for_relay` is told, once, when the relay does not keep up."""
        self._engine = engine
        self._store = GroupCommit(engine, new_id=new_id, first_events=FirstEvents())
        self._clock = clock
        self._waits_for_relay = waits_for_relay
        self.done = Counts()
        """What is committed so far."""

    async def count(self, scope: Scope) -> Counts:
        """What `restate` would restate. Raises DBAPIError."""
        counts = Counts()
        async for rows in self._restaurants():
            counts.restaurants += len(rows)
        async for rows in self._items():
            counts.items += len(rows)
        async for rows in self._orders(scope):
            counts.orders += len(rows)
            counts.unfinished += sum(row.status in UNFINISHED for row in rows)
        return counts

    async def restate(self, scope: Scope) -> None:
        """Restate restaurants, then menus, then orders. Raises StoreUnavailable, DBAPIError."""
        async for rows in self._restaurants():
            self.done.restaurants += await self._commit(rows, _of_restaurant)
        async for rows in self._items():
            self.done.items += await self._commit(rows, _of_item)
        async for rows in self._orders(scope):
            self.done.orders += await self._commit(rows, _of_order)
            self.done.unfinished += sum(row.status in UNFINISHED for row in rows)

    def _restaurants(self) -> AsyncIterator[Sequence[Any]]:
        return self._pages(SELECT_RESTAURANTS, {"restaurant": ""})

    def _items(self) -> AsyncIterator[Sequence[Any]]:
        return self._pages(SELECT_ITEMS, {"restaurant": "", "sku": ""})

    async def _orders(self, scope: Scope) -> AsyncIterator[Sequence[Any]]:
        async for rows in self._pages(SELECT_ORDERS, {"id": UUID(int=0)}):
            yield [row for row in rows if scope.has(row)]

    async def _pages(
        self, statement: Select[Any], after: dict[str, Any]
    ) -> AsyncIterator[Sequence[Any]]:
        """All rows of the statement, a page at a time: those whose key is behind `after`."""
        while True:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(statement, after)).all()
            yield rows
            if len(rows) < PAGE_ROWS:
                return
            after = {name: getattr(rows[-1], name) for name in after}

    async def _commit(self, rows: Sequence[Any], use_case_of: UseCaseOf) -> int:
        """Restate each, some at a time; returns how many. One that is no more is left out."""
        restated = 0
        for first in range(0, len(rows), IN_FLIGHT):
            await self._relay_keeps_up()
            some = rows[first : first + IN_FLIGHT]
            commands = [self._command(use_case_of(row)) for row in some]
            outcomes = await asyncio.gather(
                *(
                    self._store.run(command, restaurant=row.restaurant)
                    for command, row in zip(commands, some, strict=True)
                ),
                return_exceptions=True,
            )
            for each in outcomes:
                if isinstance(each, BaseException) and not isinstance(each, Refusal):
                    raise each
            restated += sum(not isinstance(each, Refusal) for each in outcomes)
        return restated

    def _command(self, use_case: UseCase) -> Command[Any]:
        return lambda transaction: use_case(transaction=transaction, at=self._clock())

    async def _relay_keeps_up(self) -> None:
        """Wait until the relay has published most of what there is."""
        is_said = False
        while True:
            async with self._engine.connect() as connection:
                backlog = await count_unpublished(connection)
            if backlog < BACKLOG_MAX_EVENTS:
                return
            if not is_said:
                self._waits_for_relay()
                is_said = True
            await asyncio.sleep(BACKLOG_CHECK_INTERVAL_S)


def _of_restaurant(row: Any) -> UseCase:
    return partial(restate_restaurant, row.restaurant)


def _of_item(row: Any) -> UseCase:
    return partial(restate_item, row.restaurant, row.sku)


def _of_order(row: Any) -> UseCase:
    return partial(restate_order, RestateOrder(restaurant=row.restaurant, order_id=row.id))
