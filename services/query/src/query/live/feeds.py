"""Live feeds of orders: each change is read once, however many clients watch."""

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
from query.views.ports import DamagedView, LiveUpdate, StoreUnavailable

READERS = Gauge("comanda_query_live_readers", "Readers of live feeds", ["feed"])
TOO_SLOW = Counter("comanda_query_live_readers_too_slow", "Readers sent away as too slow", ["feed"])


class CacheOfRestaurants(Protocol):
    """A cache of what was read about restaurants, to be told when it is stale."""

    def invalidate(self, restaurant: str) -> None:
        """An order of the restaurant has changed."""

    def invalidate_all(self) -> None:
        """Anything may have changed."""


class MongoLiveOrders(ChangeListener):
    """The port `LiveOrders`, fed by the change stream; it also invalidates `cache`.

    Everything is read under one lock, for new readers as well as for those who are there: so a
    reader is never told something older than before, and misses nothing between its snapshot and
    the changes after it.
    """

    def __init__(
        self,
        generations: Generations,
        changes: ChangeStream,
        *,
        render: Callable[[Document], bytes],
        cache: CacheOfRestaurants,
    ) -> None:
        """`render` makes the JSON of an order, once for all its readers."""
        self._generations = generations
        self._changes = changes
        self._render = render
        self._cache = cache
        self._order_readers: Readers[LiveUpdate] = Readers(
            READERS.labels("order"), TOO_SLOW.labels("order")
        )
        self._list_readers: Readers[LiveUpdate] = Readers(
            READERS.labels("orders"), TOO_SLOW.labels("orders")
        )
        self._listed: dict[str, set[str]] = {}
        """By restaurant whose list has readers: the ids of the active orders that they know."""
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
            async with self._consistent_start():
                found = await self._by_ids([order_id])
                ours = [each for each in found if each.get("restaurant") == restaurant]
                first = self._snapshot(ours)
                if any(map(is_known, ours)) and not first.orders:
                    raise DamagedView(order_id)
                reader = reading.enter_context(self._order_readers.reader(order_id))
            yield _updates([first], reader)

    @contextlib.asynccontextmanager
    async def active(
        self, restaurant: str, after: str | None
    ) -> AsyncIterator[AsyncIterator[LiveUpdate | None]]:
        async with contextlib.AsyncExitStack() as reading:
            reading.enter_context(self._changes.kept_open())
            async with self._consistent_start():
                missed = self._missed(restaurant, after)
                changed = await self._by_ids(missed or ())
                if restaurant not in self._listed or missed is None or len(changed) < len(missed):
                    active = await self._active(restaurant)
                if missed is None or len(changed) < len(missed):  # one was deleted meanwhile
                    first: Sequence[LiveUpdate] = [self._snapshot(active)]
                else:
                    orders = _by_position(changed, missed)
                    updates = [self._change(order, missed) for order in orders]
                    first = [each for each in updates if each]
                reading.callback(self._forget_listed, restaurant)  # once the reader has left
                reader = reading.enter_context(self._list_readers.reader(restaurant))
            yield _updates(first, reader)

    def _forget_listed(self, restaurant: str) -> None:
        if restaurant not in self._list_readers.topics:
            self._listed.pop(restaurant, None)

    def close(self) -> None:
        """End all feeds, and begin none any more."""
        self._is_closed = True
        self._order_readers.end()
        self._list_readers.end()

    async def on_open(self, begin: Position) -> None:
        """Send everybody a new snapshot: earlier changes may have been missed."""
        async with self._reading:
            self._replay = ReplayBuffer(begin)
            await self._publish_snapshots()

    def on_close(self) -> None:
        """Invalidate everything: changes are not told from now on."""
        self._cache.invalidate_all()

    async def on_batch(self, changes: Mapping[str, Position]) -> None:
        """Read the changed orders that are watched, by one query for all, and publish them."""
        async with self._reading:
            found = {each["_id"]: each for each in await self._find(changes.keys())}
            for order_id, position in changes.items():
                if order_id in found:
                    restaurant = found[order_id].get("restaurant", "")
                    self._replay.append(position, restaurant, order_id)
                    self._cache.invalidate(restaurant)
            watched = [each["whole"] for each in found.values() if "whole" in each]
            for order in _by_position(watched, changes):
                update = self._change(order, changes)
                if update is None:
                    continue
                self._order_readers.publish(order["_id"], update, update.size_bytes)
                self._list_readers.publish(order["restaurant"], update, update.size_bytes)
                self._note_listed(order)
            if len(found) < len(changes):
                await self._publish_deleted(changes.keys() - found.keys(), changes)

    async def _publish_deleted(
        self, order_ids: AbstractSet[str], changes: Mapping[str, Position]
    ) -> None:
        """Send a new snapshot to those who are shown one of these orders, and to nobody else.

        A kept board that shows one is made anew within its greatest age.
        """
        for order_id in order_ids & self._order_readers.topics:
            self._order_readers.publish(order_id, self._snapshot([]))
        for restaurant, listed in list(self._listed.items()):
            deleted = order_ids & listed
            for order_id in deleted:
                self._replay.append(changes[order_id], restaurant, order_id)
            if deleted:
                self._cache.invalidate(restaurant)
                active = await self._active(restaurant)
                self._list_readers.publish(restaurant, self._snapshot(active))

    async def _publish_snapshots(self) -> None:
        orders = {each["_id"]: [each] for each in await self._by_ids(self._order_readers.topics)}
        for order_id in list(self._order_readers.topics):
            self._order_readers.publish(order_id, self._snapshot(orders.get(order_id, [])))
        for restaurant in list(self._list_readers.topics):
            self._list_readers.publish(restaurant, self._snapshot(await self._active(restaurant)))

    @contextlib.asynccontextmanager
    async def _consistent_start(self) -> AsyncIterator[None]:
        """A context in which a new reader's snapshot is read: no batch is published meanwhile.

        Raises StoreUnavailable if the stream is not open in time.
        """
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
        """The orders that changed after a position, each with its last; None if not known."""
        position = Position.parse(after) if after else None
        missed = self._replay.since(restaurant, position) if position else None
        if missed is None:
            return None
        last = {order_id: at for at, order_id in missed}
        return dict(sorted(last.items(), key=lambda change: change[1]))

    def _snapshot(self, orders: Iterable[Document]) -> LiveUpdate:
        """Of the orders that are known and can be shown."""
        known = [order for order in orders if is_known(order)]
        shown = [json for json in map(self._shown, known) if json is not None]
        return LiveUpdate(str(self._replay.last), shown, is_snapshot=True)

    def _change(self, order: Document, changes: Mapping[str, Position]) -> LiveUpdate | None:
        """None if the order can't be shown."""
        json = self._shown(order)
        position = str(changes[order["_id"]])
        return None if json is None else LiveUpdate(position, [json], is_snapshot=False)

    def _shown(self, order: Document) -> bytes | None:
        with contextlib.suppress(DamagedView):
            return self._render(order)
        return None

    async def _find(self, ids: AbstractSet[str]) -> list[Document]:
        """The restaurant of each order, and as `whole` the orders that somebody watches."""
        projection: dict[str, Any] = {"restaurant": 1}
        mine, restaurants = [*(ids & self._order_readers.topics)], [*self._list_readers.topics]
        if mine or restaurants:
            is_watched = {"$or": [{"$in": ["$_id", mine]}, {"$in": ["$restaurant", restaurants]}]}
            projection["whole"] = {"$cond": [is_watched, "$$ROOT", "$$REMOVE"]}
        return await self._read({"_id": {"$in": [*ids]}}, projection)

    async def _by_ids(self, ids: Iterable[str]) -> list[Document]:
        wanted = [*ids]
        return await self._read({"_id": {"$in": wanted}}) if wanted else []

    async def _active(self, restaurant: str) -> list[Document]:
        """Notes them as known to the list's readers."""
        active = {"restaurant": restaurant, "status": {"$in": sorted(ACTIVE)}}
        found = await self._read(active)
        self._listed[restaurant] = {each["_id"] for each in found}
        return found

    def _note_listed(self, order: Document) -> None:
        listed = self._listed.get(order["restaurant"])
        if listed is not None and order.get("status") in ACTIVE:
            listed.add(order["_id"])
        elif listed is not None:
            listed.discard(order["_id"])

    async def _read(
        self, which: Document, projection: Mapping[str, Any] | None = None
    ) -> list[Document]:
        orders = self._generations.live.orders
        async with store_call():
            return await orders.find(which, projection).to_list()


def _by_position(orders: Iterable[Document], changes: Mapping[str, Position]) -> list[Document]:
    """The known orders, sorted by when they changed."""
    return sorted(filter(is_known, orders), key=lambda order: changes[order["_id"]])


async def _updates(
    first: Sequence[LiveUpdate], reader: Reader[LiveUpdate]
) -> AsyncIterator[LiveUpdate | None]:
    if not first:
        yield None
    for update in first:
        yield update
    async for change in reader.updates():
        yield change
