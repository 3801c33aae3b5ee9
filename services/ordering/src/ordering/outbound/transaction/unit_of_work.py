"""One PostgreSQL transaction, shared by a group of commands."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date
from uuid import UUID

from comanda_contracts.successions import as_told
from service_kit.runtime.tracing import current_trace
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.application.transaction import Changeable, RecordedEvent
from ordering.contract import event_to_contract
from ordering.domain.access import Withdrawal
from ordering.domain.day_closing import DayClosing
from ordering.domain.menu import MenuItem
from ordering.domain.order import Order, OrderForgotten, OrderPlaced
from ordering.domain.restaurant import Restaurant
from ordering.outbound.database.forgotten import note_forgotten
from ordering.outbound.database.tables import (
    DayClosingRow,
    MenuItemRow,
    OrderRow,
    RestaurantRow,
    WithdrawalRow,
    table,
)
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.outbox.outbox import (
    NOTIFY,
    CommittedEvent,
    NewRow,
    insert_events,
    outbox_row,
)
from ordering.outbound.transaction import rows
from ordering.outbound.transaction.idempotency import KeptAnswers
from ordering.outbound.transaction.order_numbers import DaySequences
from ordering.outbound.transaction.repository import Aggregates, Mapped, Statements
from ordering.outbound.transaction.withdrawn_subjects import WithdrawnSubjects

RESTAURANTS = Statements(Mapped(table(RestaurantRow), rows.restaurant_row, rows.restaurant_of))
ITEMS = Statements(Mapped(table(MenuItemRow), rows.item_row, rows.item_of))
WITHDRAWALS = Statements(Mapped(table(WithdrawalRow), rows.withdrawal_row, rows.withdrawal_of))
DAY_CLOSINGS = Statements(Mapped(table(DayClosingRow), rows.day_closing_row, rows.day_closing_of))
ORDERS = Statements(Mapped(table(OrderRow), rows.order_row, rows.order_of))


class PostgresTransaction:
    """The Transaction of the use cases, over one connection.

    Loads that are requested in one turn of the event loop go out as one statement a table, always
    in the same order and by ascending key, so that two transactions can't wait for each other.
    """

    def __init__(
        self, connection: AsyncConnection, new_id: Callable[[], UUID], first_events: FirstEvents
    ) -> None:
        self._connection = connection
        self._new_id = new_id
        self._first_events = first_events
        self._restaurants = Aggregates(connection, RESTAURANTS, self._record)
        self._items = Aggregates(connection, ITEMS, self._record)
        self._withdrawals = Aggregates(connection, WITHDRAWALS, self._record)
        self._withdrawn_subjects = WithdrawnSubjects(connection)
        self._day_closings = Aggregates(connection, DAY_CLOSINGS, self._record)
        self._orders = Aggregates(connection, ORDERS, self._record)
        self._sequences = DaySequences(connection)
        self.answers = KeptAnswers(connection)
        """Answers to requests that have a key: to find before, and to keep after deciding."""
        self.for_relay: list[CommittedEvent] = []
        """The events to give to the relay once this is committed; PostgreSQL tells of the rest."""
        self._outbox: list[NewRow] = []
        self._is_first: list[bool] = []
        self._forgotten: dict[int, Order] = {}
        """Orders whose guests are forgotten, by the place of their event in the outbox."""
        self._statement = asyncio.Lock()  # a connection runs one at a time
        self._fetches: set[asyncio.Task[None]] = set()
        self._fetch_is_due = False

    def restaurant(self, slug: str) -> Awaitable[Restaurant | None]:
        self._fetch_soon()
        return self._restaurants.load(slug)

    def restaurant_to_change(self, slug: str) -> Changeable[Restaurant]:
        self._fetch_soon()
        return self._restaurants.to_change(slug)

    def menu(self, restaurant: str, skus: Collection[str]) -> Awaitable[Mapping[str, MenuItem]]:
        self._fetch_soon()
        return self._items.load_existing({sku: (restaurant, sku) for sku in skus})

    def item_to_change(self, restaurant: str, sku: str) -> Changeable[MenuItem]:
        self._fetch_soon()
        return self._items.to_change(restaurant, sku)

    def withdrawal_to_change(self, restaurant: str, subject_hash: str) -> Changeable[Withdrawal]:
        self._fetch_soon()
        return self._withdrawals.to_change(restaurant, subject_hash)

    def withdrawn_subjects(self, restaurant: str) -> Awaitable[int | None]:
        self._fetch_soon()
        return self._withdrawn_subjects.count(restaurant)

    def day_closing_to_change(self, restaurant: str) -> Changeable[DayClosing]:
        self._fetch_soon()
        return self._day_closings.to_change(restaurant)

    def order_to_change(self, order_id: UUID) -> Changeable[Order]:
        self._fetch_soon()
        return self._orders.to_change(order_id)

    def next_sequence(self, restaurant: str, day: date) -> Awaitable[int]:
        self._fetch_soon()
        return self._sequences.next(restaurant, day)

    def add(self, event: OrderPlaced) -> None:
        self._orders.stage(event.order, new=True)
        self._record((event,), True)

    async def finish_loads(self) -> None:
        """Wait until every load is done, also those that nobody waits for any more."""
        while self._fetch_is_due or self._fetches:
            await asyncio.sleep(0)
            await asyncio.gather(*self._fetches)

    async def save(self) -> None:
        """Write everything that was decided. Call `finish_loads` first."""
        await self._restaurants.save()
        await self._items.save()
        await self._withdrawals.save()
        await self._day_closings.save()
        await self._orders.save()
        await self.answers.save()
        if self._forgotten:
            aggregates = [self._outbox[place]["aggregate"] for place in self._forgotten]
            await note_forgotten(self._connection, [*self._forgotten.values()], aggregates)
        if self._outbox:
            committed = await insert_events(self._connection, self._outbox)
            self.for_relay = [
                event
                for event, row, is_first in zip(
                    committed, self._outbox, self._is_first, strict=True
                )
                if is_first and self._first_events.accepts(row["partition"])
            ]
            if len(self.for_relay) < len(committed):
                await self._connection.execute(NOTIFY)

    def _record(self, events: Sequence[RecordedEvent], first_is_new: bool) -> None:
        """Have the events published, within the trace of the command that runs now."""
        for position, event in enumerate(events):
            if isinstance(event, OrderForgotten):
                self._forgotten[len(self._outbox)] = event.order
            for place, told in enumerate(as_told(event_to_contract(event))):
                row = outbox_row(told, event_id=self._new_id(), trace=current_trace())
                self._outbox.append(row)
                self._is_first.append(first_is_new and position == place == 0)

    def _fetch_soon(self) -> None:
        """Fetch once everybody who can ask in this turn of the event loop has done so."""
        if not self._fetch_is_due:
            self._fetch_is_due = True
            asyncio.get_running_loop().call_soon(self._start_fetch)

    def _start_fetch(self) -> None:
        self._fetch_is_due = False
        task = asyncio.get_running_loop().create_task(self._fetch())
        self._fetches.add(task)
        task.add_done_callback(self._fetches.discard)

    async def _fetch(self) -> None:
        async with self._statement:
            await self._restaurants.fetch_pending()
            await self._items.fetch_pending()
            await self._withdrawals.fetch_pending()
            await self._withdrawn_subjects.fetch_pending()
            await self._day_closings.fetch_pending()
            await self._orders.fetch_pending()
            await self._sequences.fetch_pending()
