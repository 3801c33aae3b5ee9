"""Live feeds of orders: each change is read once, however many clients watch."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import bson
from prometheus_client import Counter, Gauge
from service_kit.http.live_feed import FeedsClosed, Reader, Readers, ReplayBuffer

from query.live.change_stream import ChangeListener, ChangeStream
from query.live.position import Position
from query.live.stale_caches import CacheOfRestaurants
from query.storage.client import DOCUMENT, LIST_TIME_MS_MAX, RAW_BSON, READ_TIMEOUT_S, store_call
from query.storage.generations import Generations
from query.views.merge import Document
from query.views.orders.presentation import is_known
from query.views.orders.status import ACTIVE
from query.views.ports import DamagedView, LiveUpdate, StoreUnavailable, TimedOut, TooSlow

ORDERS_PER_READ_MAX = 100
"""Changed orders that are read by one query: the largest ones have a megabyte."""
TOLD_ORDERS_MAX = 256
"""Orders of which a list's feed knows what it told last: one that it has forgotten may be told
twice."""
SNAPSHOTS_BYTES_MAX = 16 * 1024 * 1024
"""Of the snapshots that are there for new readers, whose lists are read anew beyond it."""

READERS = Gauge("comanda_query_live_readers", "Readers of live feeds", ["feed"])
TOO_SLOW = Counter("comanda_query_live_readers_too_slow", "Readers sent away as too slow", ["feed"])


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
        self._snapshots = _Snapshots()
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
                first = [await self._order(restaurant, order_id)]
                reader = reading.enter_context(self._order_readers.reader(order_id))
            updates = _updates(first, reader)
            del first  # the feed itself gives it up once it is taken
            yield updates

    @contextlib.asynccontextmanager
    async def active(
        self, restaurant: str, after: str | None
    ) -> AsyncIterator[AsyncIterator[LiveUpdate | None]]:
        async with contextlib.AsyncExitStack() as reading:
            reading.enter_context(self._changes.kept_open())
            async with self._consistent_start():
                first = await self._active_since(restaurant, after)
                reading.callback(self._forget_listed, restaurant)  # once the reader has left
                reader = reading.enter_context(self._list_readers.reader(restaurant))
            updates = _news(_updates(first, reader))
            del first
            yield updates

    def _forget_listed(self, restaurant: str) -> None:
        if restaurant not in self._list_readers.topics:
            self._listed.pop(restaurant, None)
            self._snapshots.forget(restaurant)

    def close(self) -> None:
        """End all feeds, and begin none any more."""
        self._is_closed = True
        self._order_readers.end()
        self._list_readers.end()

    async def on_open(self, begin: Position) -> None:
        """Send everybody a new snapshot: earlier changes may have been missed."""
        async with self._reading:
            self._replay = ReplayBuffer(begin)
            self._snapshots = _Snapshots()
            await self._publish_snapshots()

    def on_close(self) -> None:
        """Invalidate everything: changes are not told from now on."""
        self._cache.invalidate_all()

    async def on_batch(self, changes: Mapping[str, Position]) -> None:
        """Read the changed orders that are watched, by one query for many, and publish them."""
        async with self._reading:
            order_ids = [*changes]
            for start in range(0, len(order_ids), ORDERS_PER_READ_MAX):
                some = order_ids[start : start + ORDERS_PER_READ_MAX]
                await self._publish_changed({each: changes[each] for each in some})

    async def _publish_changed(self, changes: Mapping[str, Position]) -> None:
        restaurants, watched = await self._find(changes.keys())
        for order_id, position in changes.items():
            if order_id in restaurants:
                restaurant = restaurants[order_id]
                self._replay.append(position, restaurant, order_id)
                self._cache.invalidate(restaurant)
                self._snapshots.forget(restaurant)
        for order in _by_position(watched, changes):
            if order.json is None:
                continue
            update = order.change(changes)
            self._order_readers.publish(order.order_id, update, update.orders)
            self._list_readers.publish(order.restaurant, update, update.orders)
            self._note_listed(order)
        if len(restaurants) < len(changes):
            await self._publish_deleted(changes.keys() - restaurants.keys(), changes)

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
                self._snapshots.forget(restaurant)
                await self._publish_active(restaurant)

    async def _publish_snapshots(self) -> None:
        watched = list(self._order_readers.topics)
        for start in range(0, len(watched), ORDERS_PER_READ_MAX):
            some = watched[start : start + ORDERS_PER_READ_MAX]
            found = {each.order_id: [each] for each in await self._by_ids(some)}
            for order_id in some:
                update = self._snapshot(found.get(order_id, []))
                self._order_readers.publish(order_id, update, update.orders)
        for restaurant in list(self._list_readers.topics):
            await self._publish_active(restaurant)

    async def _publish_active(self, restaurant: str) -> None:
        """Send the list's readers a new snapshot; they are ended if it takes the store too long."""
        try:
            snapshot = await self._active(restaurant)
        except TooSlow:  # the others are told of changes all the same
            self._list_readers.end_topic(restaurant)
        else:
            self._list_readers.publish(restaurant, snapshot, snapshot.orders)

    @contextlib.asynccontextmanager
    async def _consistent_start(self) -> AsyncIterator[None]:
        """A context in which a new reader's snapshot is read: no batch is published meanwhile.

        Raises StoreUnavailable if the stream is not open in time, and FeedsClosed.
        """
        if self._is_closed:
            raise FeedsClosed
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                await self._changes.wait_until_open()
        except TimeoutError as error:
            raise StoreUnavailable("changes can't be followed") from error
        async with self._reading:
            yield

    async def _order(self, restaurant: str, order_id: str) -> LiveUpdate:
        """The order as it is. Raises DamagedView if it is known and can't be shown."""
        found = await self._by_ids([order_id])
        ours = [each for each in found if each.restaurant == restaurant]
        snapshot = self._snapshot(ours)
        if any(each.is_known for each in ours) and not snapshot.orders:
            raise DamagedView(order_id)
        return snapshot

    async def _active_since(self, restaurant: str, after: str | None) -> list[LiveUpdate]:
        """The changes after a position; a snapshot if not all are known, or one was deleted."""
        missed = self._missed(restaurant, after)
        changed = await self._by_ids(missed or ())
        was_deleted = missed is not None and len(changed) < len(missed)
        if restaurant not in self._listed or missed is None or was_deleted:
            snapshot = await self._active(restaurant)
        if missed is None or was_deleted:
            return [snapshot]
        orders = _by_position(changed, missed)
        return [each.change(missed) for each in orders if each.json is not None]

    def _missed(self, restaurant: str, after: str | None) -> dict[str, Position] | None:
        """The orders that changed after a position, each with its last; None if not known."""
        position = Position.parse(after) if after else None
        missed = self._replay.since(restaurant, position) if position else None
        if missed is None:
            return None
        last = {order_id: at for at, order_id in missed}
        return dict(sorted(last.items(), key=lambda change: change[1]))

    def _snapshot(self, orders: Iterable["_ShownOrder"]) -> LiveUpdate:
        """Of the orders that are known and can be shown."""
        shown = [each for each in orders if each.is_known and each.json is not None]
        json = [each.json for each in shown if each.json is not None]
        ids = [each.order_id for each in shown]
        return LiveUpdate(str(self._replay.last), json, is_snapshot=True, order_ids=ids)

    async def _find(self, ids: AbstractSet[str]) -> tuple[dict[str, str], list["_ShownOrder"]]:
        """The restaurant of each order, and the orders that somebody watches."""
        projection: dict[str, Any] = {"restaurant": 1}
        mine, watched = [*(ids & self._order_readers.topics)], [*self._list_readers.topics]
        if mine or watched:
            is_watched = {"$or": [{"$in": ["$_id", mine]}, {"$in": ["$restaurant", watched]}]}
            projection["whole"] = {"$cond": [is_watched, "$$ROOT", "$$REMOVE"]}
        restaurants: dict[str, str] = {}
        orders = []
        async for each in self._read({"_id": {"$in": [*ids]}}, projection):
            restaurants[each["_id"]] = each.get("restaurant", "")
            if "whole" in each:
                orders.append(self._shown(each["whole"]))
        return restaurants, orders

    async def _by_ids(self, ids: Iterable[str]) -> list["_ShownOrder"]:
        wanted = [*ids]
        which = {"_id": {"$in": wanted}}
        return [self._shown(each) async for each in self._read(which)] if wanted else []

    async def _active(self, restaurant: str) -> LiveUpdate:
        """The active orders, made once for all readers until one changes.

        Notes them as known to the list's readers. Raises TooSlow if they take the store too long.
        """
        snapshot = self._snapshots.get(restaurant)
        if snapshot is None or restaurant not in self._listed:
            active = {"restaurant": restaurant, "status": {"$in": sorted(ACTIVE)}}
            found: list[_ShownOrder] = []
            try:
                async for each in self._read(active, time_ms_max=LIST_TIME_MS_MAX):
                    found.append(self._shown(each))  # noqa: PERF401 - what came tells why it ended
            except TimedOut as error:
                if found:
                    raise TooSlow("the list is too long") from error
                raise
            self._listed[restaurant] = {each.order_id for each in found}
            snapshot = self._snapshot(found)
            self._snapshots.keep(restaurant, snapshot)
        return snapshot

    def _note_listed(self, order: "_ShownOrder") -> None:
        listed = self._listed.get(order.restaurant)
        if listed is not None and order.is_active:
            listed.add(order.order_id)
        elif listed is not None:
            listed.discard(order.order_id)

    def _shown(self, order: Document) -> "_ShownOrder":
        json = None
        if is_known(order):
            with contextlib.suppress(DamagedView):
                json = self._render(order)
        return _ShownOrder(
            order["_id"],
            order.get("restaurant", ""),
            is_known=is_known(order),
            is_active=order.get("status") in ACTIVE,
            json=json,
        )

    async def _read(
        self,
        which: Document,
        projection: Mapping[str, Any] | None = None,
        *,
        time_ms_max: int | None = None,
    ) -> AsyncIterator[Document]:
        """Each document is decoded when it is its turn: of large ones few fit into memory."""
        orders = self._generations.live.orders.with_options(codec_options=RAW_BSON)
        async with store_call():
            async for each in orders.find(which, projection, max_time_ms=time_ms_max):
                yield bson.decode(each.raw, DOCUMENT)


class _Snapshots:
    """The snapshot of each restaurant's list, for new readers, until one of its orders changes.

    One that is sent to somebody just now is there anyway; others have a bound.
    """

    def __init__(self) -> None:
        self._alive: WeakValueDictionary[str, LiveUpdate] = WeakValueDictionary()
        self._kept: dict[str, LiveUpdate] = {}

    def get(self, restaurant: str) -> LiveUpdate | None:
        return self._alive.get(restaurant)

    def keep(self, restaurant: str, snapshot: LiveUpdate) -> None:
        self._alive[restaurant] = self._kept[restaurant] = snapshot
        while sum(each.size_bytes for each in self._kept.values()) > SNAPSHOTS_BYTES_MAX:
            del self._kept[next(iter(self._kept))]

    def forget(self, restaurant: str) -> None:
        self._alive.pop(restaurant, None)
        self._kept.pop(restaurant, None)


class _ShownOrder(NamedTuple):
    """An order as feeds show it."""

    order_id: str
    restaurant: str
    is_known: bool
    is_active: bool
    json: bytes | None
    """None if it can't be shown."""

    def change(self, changes: Mapping[str, Position]) -> LiveUpdate:
        """The update of an order that can be shown."""
        orders = [] if self.json is None else [self.json]
        position = str(changes[self.order_id])
        return LiveUpdate(position, orders, is_snapshot=False, order_ids=[self.order_id])


def _by_position(
    orders: Iterable[_ShownOrder], changes: Mapping[str, Position]
) -> list[_ShownOrder]:
    """The known orders, sorted by when they changed."""
    known = (each for each in orders if each.is_known)
    return sorted(known, key=lambda order: changes[order.order_id])


async def _updates(
    first: list[LiveUpdate], reader: Reader[LiveUpdate]
) -> AsyncIterator[LiveUpdate | None]:
    """The updates, `first` of all those that it takes out of there; it keeps none."""
    if not first:
        yield None
    while first:
        yield first.pop(0)
    async for change in reader.updates():
        yield change
        del change


async def _news(updates: AsyncIterator[LiveUpdate | None]) -> AsyncIterator[LiveUpdate | None]:
    """The updates of a list but for orders that are as the reader was told last.

    What is read may have a change in it that is told only later: with the snapshot, or with the
    change before. Told by its position it would be the same order once more.
    """
    told: dict[str, int] = {}
    async for update in updates:
        if update is None:
            yield None
            continue
        prints = [hash(each) for each in update.orders]
        if update.is_snapshot:
            told.clear()
        elif all(told.get(key) == its for key, its in zip(update.order_ids, prints, strict=True)):
            continue
        for key, its in zip(update.order_ids, prints, strict=True):
            told.pop(key, None)
            told[key] = its
        while len(told) > TOLD_ORDERS_MAX:
            del told[next(iter(told))]
        yield update
        del update
