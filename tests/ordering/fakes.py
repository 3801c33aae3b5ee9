"""The store of ordering without a database, for tests of what does not concern one."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date
from typing import TypeVar
from uuid import UUID

from ordering.application.once import Answer, Answered, Request
from ordering.application.transaction import DomainEvent, Transaction
from ordering.domain.menu import MenuItem, MenuItemSet, MenuItemWithdrawn
from ordering.domain.order import Order
from ordering.domain.restaurant import Restaurant, RestaurantSet

Result = TypeVar("Result")

Command = Callable[[Transaction], Awaitable[Result]]


class InMemoryStore:
    """Runs commands one after another; what a refused command recorded is forgotten."""

    def __init__(self) -> None:
        self.restaurants: dict[str, Restaurant] = {}
        self.items: dict[tuple[str, str], MenuItem] = {}
        self.orders: dict[UUID, Order] = {}
        self.days: dict[tuple[str, date], int] = {}
        self.events: list[DomainEvent] = []
        self.answered: dict[tuple[str, str], Answered] = {}

    async def run_once(self, request: Request, command: Command[Answer]) -> Answer:
        name = (request.restaurant, request.key)
        if before := self.answered.get(name):
            return before.to(request)
        answer = await self.run(command)
        self.answered[name] = Answered(request, answer)
        return answer

    async def run(self, command: Command[Result]) -> Result:
        transaction = InMemoryTransaction(self)
        result = await command(transaction)
        transaction.save()
        return result


class InMemoryTransaction:
    """The Transaction of the use cases over dictionaries."""

    def __init__(self, store: InMemoryStore) -> None:
        self._store = store
        self._days = dict(store.days)
        self._noted: list[Order] = []
        self._recorded: list[DomainEvent] = []

    def restaurant(self, restaurant: str) -> Awaitable[Restaurant | None]:
        return _known(self._store.restaurants.get(restaurant))

    def restaurant_to_change(self, restaurant: str) -> Awaitable[Restaurant | None]:
        return _known(self._store.restaurants.get(restaurant))

    def menu(self, restaurant: str, skus: Collection[str]) -> Awaitable[Mapping[str, MenuItem]]:
        items = self._store.items
        return _known({sku: items[restaurant, sku] for sku in skus if (restaurant, sku) in items})

    async def whole_menu(self, restaurant: str) -> Sequence[MenuItem]:
        offered = [
            item
            for item in self._store.items.values()
            if item.restaurant == restaurant and not item.withdrawn
        ]
        return sorted(offered, key=lambda item: (item.category, item.name))

    def item_to_change(self, restaurant: str, sku: str) -> Awaitable[MenuItem | None]:
        return _known(self._store.items.get((restaurant, sku)))

    def order_to_change(self, order_id: UUID) -> Awaitable[Order | None]:
        return _known(self._store.orders.get(order_id))

    async def next_sequence(self, restaurant: str, day: date) -> int:
        self._days[restaurant, day] = self._days.get((restaurant, day), 0) + 1
        return self._days[restaurant, day]

    def record(self, event: DomainEvent) -> None:
        self._recorded.append(event)

    def note(self, order: Order) -> None:
        self._noted.append(order)

    def save(self) -> None:
        self._store.days = self._days
        for order in self._noted:
            self._store.orders[order.order_id] = order
        for event in self._recorded:
            self._save(event)
        self._store.events += self._recorded

    def _save(self, event: DomainEvent) -> None:
        match event:
            case RestaurantSet(restaurant=restaurant):
                self._store.restaurants[restaurant.restaurant] = restaurant
            case MenuItemSet(item=item) | MenuItemWithdrawn(item=item):
                self._store.items[item.restaurant, item.sku] = item
            case _:
                self._store.orders[event.order.order_id] = event.order


def _known(value: Result) -> "asyncio.Future[Result]":
    """An answer that need not be awaited, as the real store's."""
    future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future
