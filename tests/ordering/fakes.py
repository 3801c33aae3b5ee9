"""The store of ordering without a database, for tests of what does not concern one."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date
from typing import Generic, TypeVar
from uuid import UUID

from ordering.application.keyed_request import Answer, AnsweredRequest, KeyedRequest
from ordering.application.transaction import Changeable, Decision, RecordedEvent, Transaction
from ordering.domain.access import Withdrawal
from ordering.domain.day_closing import DayClosing
from ordering.domain.menu import MenuItem
from ordering.domain.order import Order, OrderPlaced
from ordering.domain.restaurant import Restaurant

Result = TypeVar("Result")
State = TypeVar("State")
Key = TypeVar("Key")

Command = Callable[[Transaction], Awaitable[Result]]


class InMemoryStore:
    """Runs commands one after another; what a refused command recorded is forgotten."""

    def __init__(self) -> None:
        self.restaurants: dict[str, Restaurant] = {}
        self.items: dict[tuple[str, str], MenuItem] = {}
        self.withdrawals: dict[tuple[str, str], Withdrawal] = {}
        self.day_closings: dict[str, DayClosing] = {}
        self.orders: dict[UUID, Order] = {}
        self.days: dict[tuple[str, date], int] = {}
        self.events: list[RecordedEvent] = []
        self.answered: dict[tuple[str, str], AnsweredRequest] = {}
        self._one_at_a_time = asyncio.Lock()

    async def run_once(
        self, request: KeyedRequest, command: Command[Answer], *, comes_again: bool = False
    ) -> Answer:
        name = (request.restaurant, request.key)
        if before := self.answered.get(name):
            return before.answer_to(request)
        answer = await self.run(command)
        self.answered[name] = AnsweredRequest(request, answer)
        return answer

    def is_blocked(self, restaurant: str) -> bool:
        """Nothing is in anybody's way."""
        return False

    async def one(self, slug: str) -> Restaurant | None:
        """The restaurant."""
        return self.restaurants.get(slug)

    async def whole(self, restaurant: str) -> Sequence[MenuItem] | None:
        """The menu."""
        offered = [
            item
            for item in self.items.values()
            if item.restaurant == restaurant and not item.withdrawn
        ]
        if restaurant not in self.restaurants:
            return None
        return sorted(offered, key=lambda item: (item.category, item.name))

    async def run(
        self, command: Command[Result], *, restaurant: str = "", comes_again: bool = False
    ) -> Result:
        async with self._one_at_a_time:
            transaction = InMemoryTransaction(self)
            result = await command(transaction)
            transaction.save()
            return result


class InMemoryTransaction:
    """The Transaction of the use cases over dictionaries."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self._restaurants = dict(store.restaurants)
        self._items = dict(store.items)
        self._withdrawals = dict(store.withdrawals)
        self._day_closings = dict(store.day_closings)
        self._orders = dict(store.orders)
        self._days = dict(store.days)
        self._events: list[RecordedEvent] = []

    def restaurant(self, slug: str) -> Awaitable[Restaurant | None]:
        return _known(self._store.restaurants.get(slug))

    def restaurant_to_change(self, slug: str) -> Changeable[Restaurant]:
        return InMemoryChangeable(self._restaurants, slug, self._events)

    def menu(self, restaurant: str, skus: Collection[str]) -> Awaitable[Mapping[str, MenuItem]]:
        items = self._store.items
        return _known({sku: items[restaurant, sku] for sku in skus if (restaurant, sku) in items})

    def item_to_change(self, restaurant: str, sku: str) -> Changeable[MenuItem]:
        return InMemoryChangeable(self._items, (restaurant, sku), self._events)

    def withdrawal_to_change(self, restaurant: str, subject_hash: str) -> Changeable[Withdrawal]:
        return InMemoryChangeable(self._withdrawals, (restaurant, subject_hash), self._events)

    def withdrawn_subjects(self, restaurant: str) -> Awaitable[int | None]:
        return _known(sum(where == restaurant for where, _ in self._store.withdrawals))

    def day_closing_to_change(self, restaurant: str) -> Changeable[DayClosing]:
        return InMemoryChangeable(self._day_closings, restaurant, self._events)

    def order_to_change(self, order_id: UUID) -> Changeable[Order]:
        return InMemoryChangeable(self._orders, order_id, self._events)

    async def next_sequence(self, restaurant: str, day: date) -> int:
        self._days[restaurant, day] = self._days.get((restaurant, day), 0) + 1
        return self._days[restaurant, day]

    def add(self, event: OrderPlaced) -> None:
        self._orders[event.order.order_id] = event.order
        self._events.append(event)

    def save(self) -> None:
        self._store.restaurants = self._restaurants
        self._store.items = self._items
        self._store.withdrawals = self._withdrawals
        self._store.day_closings = self._day_closings
        self._store.orders = self._orders
        self._store.days = self._days
        self._store.events += self._events


class InMemoryChangeable(Generic[Key, State]):
    """The Changeable of the use cases over a dictionary."""

    def __init__(self, states: dict[Key, State], key: Key, events: list[RecordedEvent]) -> None:
        self._states = states
        self._key = key
        self._events = events

    async def change(self, decide: Callable[[State | None], Decision[State]]) -> State:
        decision = decide(self._states.get(self._key))
        self._states[self._key] = decision.state
        self._events += decision.events
        return decision.state


def _known(value: Result) -> "asyncio.Future[Result]":
    """An answer that need not be awaited, as the real store's."""
    future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future
