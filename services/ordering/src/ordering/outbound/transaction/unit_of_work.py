"""One PostgreSQL transaction, shared by a group of commands."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from service_kit.runtime.tracing import current_trace
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.application.transaction import DomainEvent
from ordering.domain.menu import MenuItem, MenuItemSet, MenuItemWithdrawn
from ordering.domain.order import Order
from ordering.domain.restaurant import Restaurant, RestaurantSet
from ordering.outbound.database.tables import MenuItemRow, OrderRow, RestaurantRow, table
from ordering.outbound.outbox.first_events import HandOver
from ordering.outbound.outbox.outbox import NOTIFY, Waiting, add, outbox_row
from ordering.outbound.transaction import rows
from ordering.outbound.transaction.idempotency import Answers
from ordering.outbound.transaction.order_numbers import Sequences
from ordering.outbound.transaction.repository import Aggregates, Mapped, Statements
from ordering.published import published_event

RESTAURANTS = Statements(Mapped(table(RestaurantRow), rows.restaurant_row, rows.restaurant_of))
ITEMS = Statements(Mapped(table(MenuItemRow), rows.item_row, rows.item_of))
ORDERS = Statements(Mapped(table(OrderRow), rows.order_row, rows.order_of))
WHOLE_MENU = (
    select(ITEMS.mapped.table)
    .where(
        ITEMS.mapped.table.c.restaurant == bindparam("wanted"),
        ITEMS.mapped.table.c.withdrawn.is_(False),
    )
    .order_by(ITEMS.mapped.table.c.category, ITEMS.mapped.table.c.name)
)


class PostgresTransaction:
    """The Transaction of the use cases, over one connection.

    What is asked in one turn of the event loop goes out as one statement a table, always in the
    same order and by ascending key, so that two transactions can't wait for each other.
    """

    def __init__(
        self, connection: AsyncConnection, new_id: Callable[[], UUID], handed: HandOver
    ) -> None:
        self._connection = connection
        self._new_id = new_id
        self._handed = handed
        self._restaurants = Aggregates(connection, RESTAURANTS)
        self._items = Aggregates(connection, ITEMS)
        self._orders = Aggregates(connection, ORDERS)
        self._sequences = Sequences(connection)
        self.answers = Answers(connection)
        """Answers to requests that have a key: to find before, and to keep after deciding."""
        self.for_relay: list[Waiting] = []
        """Events to be handed over once this is committed; of all others PostgreSQL tells."""
        self._outbox: list[dict[str, Any]] = []
        self._first: list[bool] = []
        self._one_at_a_time = asyncio.Lock()
        self._answers: set[asyncio.Task[None]] = set()
        self._answering_soon = False

    def restaurant(self, restaurant: str) -> Awaitable[Restaurant | None]:
        self._answer_soon()
        return self._restaurants.ask(restaurant)

    async def whole_menu(self, restaurant: str) -> Sequence[MenuItem]:
        async with self._one_at_a_time:
            found = await self._connection.execute(WHOLE_MENU, {"wanted": restaurant})
            return [rows.item_of(row) for row in found.mappings()]

    def restaurant_to_change(self, restaurant: str) -> Awaitable[Restaurant | None]:
        self._answer_soon()
        return self._restaurants.ask_to_change(restaurant)

    def menu(self, restaurant: str, skus: Collection[str]) -> Awaitable[Mapping[str, MenuItem]]:
        self._answer_soon()
        return self._items.ask_for_those({sku: (restaurant, sku) for sku in skus})

    def item_to_change(self, restaurant: str, sku: str) -> Awaitable[MenuItem | None]:
        self._answer_soon()
        return self._items.ask_to_change(restaurant, sku)

    def order_to_change(self, order_id: UUID) -> Awaitable[Order | None]:
        self._answer_soon()
        return self._orders.ask_to_change(order_id)

    def next_sequence(self, restaurant: str, day: date) -> Awaitable[int]:
        self._answer_soon()
        return self._sequences.ask(restaurant, day)

    def record(self, event: DomainEvent) -> None:
        match event:
            case RestaurantSet(restaurant=restaurant):
                is_first = restaurant.version == 1
                self._restaurants.stage(restaurant, new=is_first)
            case MenuItemSet(item=item) | MenuItemWithdrawn(item=item):
                is_first = item.version == 1
                self._items.stage(item, new=is_first)
            case _:
                is_first = event.order.version == 1
                self._orders.stage(event.order, new=is_first)
        row = outbox_row(published_event(event), event_id=self._new_id(), trace=current_trace())
        self._outbox.append(row)
        self._first.append(is_first)

    def note(self, order: Order) -> None:
        self._orders.stage(order, new=False)

    async def settle(self) -> None:
        """Wait until everything that was asked for is answered, wanted still or not."""
        while self._answering_soon or self._answers:
            await asyncio.sleep(0)
            await asyncio.gather(*self._answers)

    async def save(self) -> None:
        """Write everything that was recorded and noted. Call `settle` first."""
        await self._restaurants.save()
        await self._items.save()
        await self._orders.save()
        await self.answers.save()
        if self._outbox:
            waiting = await add(self._connection, self._outbox)
            self.for_relay = [
                event
                for event, row, is_first in zip(waiting, self._outbox, self._first, strict=True)
                if is_first and self._handed.takes(row["partition"])
            ]
            if len(self.for_relay) < len(waiting):
                await self._connection.execute(NOTIFY)

    def _answer_soon(self) -> None:
        """Answer once everybody who can ask in this turn of the event loop has done so."""
        if not self._answering_soon:
            self._answering_soon = True
            asyncio.get_running_loop().call_soon(self._start_answering)

    def _start_answering(self) -> None:
        self._answering_soon = False
        task = asyncio.get_running_loop().create_task(self._answer())
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self) -> None:
        async with self._one_at_a_time:
            await self._restaurants.answer()
            await self._items.answer()
            await self._orders.answer()
            await self._sequences.answer()
