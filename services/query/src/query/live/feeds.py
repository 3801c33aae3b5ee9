"""Orders as they change, for all who watch them: read once, however many watch."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from prometheus_client import Counter, Gauge
from service_kit.http.live_feed import Reader, Readers, ReplayBuffer

from query.live.change_stream import ChangeListener, ChangeStream
from query.live.position import Position
from query.storage.client import READ_TIMEOUT_S, store_call
from query.storage.generations import Generations
from query.views.merge import Document
from query.views.orders.presentation import is_known
from query.views.orders.status import ACTIVE
from query.views.ports import LiveUpdate, StoreUnavailable

READERS = Gauge("comanda_query_live_readers", "Readers of live feeds", ["feed"])
TOO_SLOW = Counter("comanda_query_live_readers_too_slow", "Readers sent away as too slow", ["feed"])


class Invalidatable(Protocol):
    """Who has to know that what was read about a restaurant is not the newest any more."""

    def invalidate(self, restaurant: str) -> None:
        """An order of the restaurant has changed."""

    def invalidate_all(self) -> None:
        """Anything may have changed."""


class MongoLiveOrders(ChangeListener):
    """The store `LiveOrders`: tells its readers of what the change stream tells of.

    Everything is read under one lock, by those who begin as well as for those who are there: so
    what a reader is told is never older than what it was told before, and nothing falls between
    its first look and the changes after it.
    """

    def __init__(
        self,
        generations: Generations,
        changes: ChangeStream,
        *,
        render: Callable[[Document], bytes],
        stale: Invalidatable,
    ) -> None:
        """`render` makes an order's JSON, once for all who read it."""
        self._generations = generations
        self._changes = changes
        self._render = render
        self._stale = stale
        self._of_order: Readers[LiveUpdate] = Readers(
            READERS.labels("order"), TOO_SLOW.labels("order")
        )
        self._of_list: Readers[LiveUpdate] = Readers(
            READERS.labels("orders"), TOO_SLOW.labels("orders")
        )
        self._replay: ReplayBuffer[Position, str] = ReplayBuffer(Position(0, 0, 0))
        self._reading = asyncio.Lock()
        self._is_closed = False
        changes.add(self)

    @contextlib.asynccontextmanager
    async def order(
        self, restaurant: str, order_id: str
    ) -> AsyncIterator[AsyncIterator[LiveUpdate | None]]:
        async with contextlib.AsyncExitStack() as reading:
            reading.enter_context(self._changes.kept_open())
            async with self._beginning():
                found = await self._whole([order_id])
                first = self._snapshot(each for each in found if each["restaurant"] == restaurant)
                reader = reading.enter_context(self._of_order.reader(order_id))
            yield _news([first], reader)

    @contextlib.asynccontextmanager
    async def active(
        self, restaurant: str, after: str | None
    ) -> AsyncIterator[AsyncIterator[LiveUpdate | None]]:
        async with contextlib.AsyncExitStack() as reading:
            reading.enter_context(self._changes.kept_open())
            async with self._beginning():
                missed = self._missed(restaurant, after)
                if missed is None:
                    first: Sequence[LiveUpdate] = [self._snapshot(await self._active(restaurant))]
                else:
                    orders = _in_turn(await self._whole(missed), missed)
                    first = [self._changed(order, missed) for order in orders]
                reader = reading.enter_context(self._of_list.reader(restaurant))
            yield _news(first, reader)

    def close(self) -> None:
        """End all feeds, and begin none any more."""
        self._is_closed = True
        self._of_order.end()
        self._of_list.end()

    async def on_open(self, begin: Position) -> None:
        """Show everybody everything anew."""
        async with self._reading:
            self._replay = ReplayBuffer(begin)
            await self._tell_all()

    def on_close(self) -> None:
        """From now on nobody knows what is outdated."""
        self._stale.invalidate_all()

    async def on_batch(self, changes: Mapping[str, Position]) -> None:
        """Read what changed, by one question for all, and tell those who watch."""
        async with self._reading:
            found = {each["_id"]: each for each in await self._find(changes.keys())}
            for order_id, position in changes.items():
                if order_id in found:
                    restaurant = found[order_id]["restaurant"]
                    self._replay.append(position, restaurant, order_id)
                    self._stale.invalidate(restaurant)
            watched = [each["whole"] for each in found.values() if "whole" in each]
            for order in _in_turn(watched, changes):
                news = self._changed(order, changes)
                self._of_order.publish(order["_id"], news)
                self._of_list.publish(order["restaurant"], news)
            if len(found) < len(changes):  # some were deleted: whose they were is not known
                self._stale.invalidate_all()
                await self._tell_all()

    async def _tell_all(self) -> None:
        orders = {each["_id"]: [each] for each in await self._whole(self._of_order.topics)}
        for order_id in list(self._of_order.topics):
            self._of_order.publish(order_id, self._snapshot(orders.get(order_id, [])))
        for restaurant in list(self._of_list.topics):
            self._of_list.publish(restaurant, self._snapshot(await self._active(restaurant)))

    @contextlib.asynccontextmanager
    async def _beginning(self) -> AsyncIterator[None]:
        """A time to read what a new reader begins with. Raises StoreUnavailable."""
        if self._is_closed:
            raise StoreUnavailable("the service is about to end")
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                await self._changes.wait_until_open()
        except TimeoutError as error:
            raise StoreUnavailable("changes can't be followed") from error
        async with self._reading:
            yield

    def _missed(self, restaurant: str, after: str | None) -> dict[str, Position] | None:
        """Orders that changed after a position, each with its last; None if that is not known."""
        position = Position.read(after) if after else None
        missed = self._replay.since(restaurant, position) if position else None
        if missed is None:
            return None
        last = {order_id: at for at, order_id in missed}
        return dict(sorted(last.items(), key=lambda change: change[1]))

    def _snapshot(self, orders: Iterable[Document]) -> LiveUpdate:
        known = [self._render(order) for order in orders if is_known(order)]
        return LiveUpdate(str(self._replay.last), known, is_snapshot=True)

    def _changed(self, order: Document, changes: Mapping[str, Position]) -> LiveUpdate:
        return LiveUpdate(str(changes[order["_id"]]), [self._render(order)], is_snapshot=False)

    async def _find(self, ids: AbstractSet[str]) -> list[Document]:
        """Whose orders these are, and as `whole` each one that somebody watches."""
        projection: dict[str, Any] = {"restaurant": 1}
        mine, restaurants = [*(ids & self._of_order.topics)], [*self._of_list.topics]
        if mine or restaurants:
            is_watched = {"$or": [{"$in": ["$_id", mine]}, {"$in": ["$restaurant", restaurants]}]}
            projection["whole"] = {"$cond": [is_watched, "$$ROOT", "$$REMOVE"]}
        return await self._read({"_id": {"$in": [*ids]}}, projection)

    async def _whole(self, ids: Iterable[str]) -> list[Document]:
        wanted = [*ids]
        return await self._read({"_id": {"$in": wanted}}) if wanted else []

    async def _active(self, restaurant: str) -> list[Document]:
        return await self._read({"restaurant": restaurant, "status": {"$in": sorted(ACTIVE)}})

    async def _read(
        self, those: Document, projection: Mapping[str, Any] | None = None
    ) -> list[Document]:
        orders = self._generations.live.orders
        async with store_call():
            return await orders.find(those, projection).to_list()


def _in_turn(orders: Iterable[Document], changes: Mapping[str, Position]) -> list[Document]:
    """Those that are known, in the order in which they changed."""
    return sorted(filter(is_known, orders), key=lambda order: changes[order["_id"]])


async def _news(
    first: Sequence[LiveUpdate], reader: Reader[LiveUpdate]
) -> AsyncIterator[LiveUpdate | None]:
    if not first:
        yield None
    for news in first:
        yield news
    async for change in reader.updates():
        yield change
