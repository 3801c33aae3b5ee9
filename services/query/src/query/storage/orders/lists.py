"""Lists of orders in MongoDB: every page is read from an index and from one state of the store."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import bson

from query.storage.batch_loader import BatchLoader
from query.storage.client import (
    DOCUMENT,
    KEY_READ_TIME_MS_MAX,
    LIST_TIME_MS_MAX,
    SEARCH_TIME_MS_MAX,
    raw_answer,
    store_call,
)
from query.storage.fair_slots import FairSlots
from query.storage.generations import Generation, Generations
from query.storage.orders.pages import NO_ROWS, PageRequest, PageRow, PageRows, Pages
from query.views.merge import Document
from query.views.orders import search_terms
from query.views.orders.list_query import ListQuery, PagePosition, SnapshotTime, milliseconds
from query.views.orders.status import ACTIVE
from query.views.ports import Page, StoreUnavailable

PAGES_PER_FETCH_MAX = 16
"""Pages that are read by one query, so that none waits long for others."""
ORDERS_PER_FETCH_MAX = 2000
"""Orders of those pages together: as a rule no more than the store gives in one answer."""

OrderKey = tuple[str, str]
"""The restaurant and the id of an order."""

TABLE_FIELDS = {
    "status": 1,
    **{f"order.{name}": 1 for name in ("table", "guests", "number", "total")},
}
TABLE_FIELDS |= {f"order.{name}": 1 for name in ("currency", "placed_at", "version")}
"""The fields of an order that `occupied_tables` uses."""


VERSIONS_PER_FETCH_MAX = 1000
"""Orders whose versions are read by one query."""
SEARCHES_MAX, SEARCHES_OF_ONE_RESTAURANT_MAX = 8, 2
"""Searches that are under way at once: each may look at every order of its restaurant."""


class AnsweredPage(NamedTuple):
    """A page, and whether a primary has answered."""

    rows: PageRows
    is_current: bool


class MongoLists:
    """The port `Lists`, from the collection `orders` of the live generation."""

    def __init__(self, generations: Generations, render: Callable[[Document], bytes]) -> None:
        """`render` makes the JSON of an order in a list."""
        self._generations = generations
        self._pages = Pages(render)
        self._versions = BatchLoader(self._known_versions, batch_keys_max=VERSIONS_PER_FETCH_MAX)
        self._search_slots = FairSlots(total=SEARCHES_MAX, each=SEARCHES_OF_ONE_RESTAURANT_MAX)
        self._pages_now: BatchLoader[PageRequest, AnsweredPage] = BatchLoader(
            self._now,
            batch_keys_max=PAGES_PER_FETCH_MAX,
            weigh=_orders_of,
            batch_weight_max=ORDERS_PER_FETCH_MAX,
        )

    async def version(self, restaurant: str, order_id: str) -> int:
        return await self._versions.load((restaurant, order_id)) or 0

    async def numbered(self, restaurant: str, day: str, number: str) -> Document | None:
        term = search_terms.of_number(day, number)
        which = {"restaurant": restaurant, "order.found_by": term}

        async def question(live: Generation) -> Document | None:
            async with store_call():
                return await live.orders.find_one(which)

        return await self._generations.answer(question)

    async def page(
        self,
        list_query: ListQuery,
        after: PagePosition | None,
        limit: int,
        *,
        only_current: bool = False,
    ) -> Page:
        request = PageRequest(list_query, after, limit)
        answer = partial(self._generations.answer, only_current=only_current)
        if list_query.sort.by_total:
            async with self._search_slots.slot(list_query.restaurant):
                found, snapshot = await answer(partial(self._page_of_first_snapshot, request))
        elif not list_query.is_in_index_order:
            async with self._search_slots.slot(list_query.restaurant):
                found, snapshot = await answer(partial(self._page_of_search, request)), None
        else:
            page = await self._pages_now.load(request)
            if only_current and page and not page.is_current:
                raise StoreUnavailable("there is no primary")
            found, snapshot = page.rows if page else NO_ROWS, None
        return Page(
            [each.json for each in found.rows if each.json is not None],
            None if found.is_last else _position_of(list_query, found.rows, snapshot),
            [each.order_id for each in found.rows if each.json is None],
        )

    async def seated(self, restaurant: str, *, only_current: bool = False) -> list[Document]:
        active = {"restaurant": restaurant, "status": {"$in": sorted(ACTIVE)}}

        async def question(live: Generation) -> list[Document]:
            snapshot = live.orders.with_options(read_concern=self._generations.snapshot_of(live))
            at_tables = snapshot.find(
                {**active, "order.table": {"$type": "string"}},
                TABLE_FIELDS,
                max_time_ms=LIST_TIME_MS_MAX,
            )
            async with store_call():
                return await at_tables.to_list()

        return await self._generations.answer(question, only_current=only_current)

    async def _known_versions(self, keys: Sequence[OrderKey]) -> Mapping[OrderKey, int]:
        """The versions that a majority has: every snapshot of a primary from now on has them."""
        ids = sorted({order_id for _, order_id in keys})
        async with store_call():
            answer = await raw_answer(
                self._generations.live.orders,
                "find",
                filter={"_id": {"$in": ids}, "order": {"$exists": True}},
                projection={"restaurant": 1, "order.version": 1},
                batchSize=len(ids) + 1,
                readConcern={"level": "majority"},
                maxTimeMS=KEY_READ_TIME_MS_MAX,
            )
        self._generations.members.note(answer.operation_time)
        found = [bson.decode(each.raw, DOCUMENT) for each in answer.documents]
        return {(each["restaurant"], each["_id"]): int(each["order"]["version"]) for each in found}

    async def _now(self, requests: Sequence[PageRequest]) -> Mapping[PageRequest, AnsweredPage]:
        """The pages, whoever answers: those who want a primary's ask together with all others."""

        async def question(live: Generation) -> Mapping[PageRequest, AnsweredPage]:
            pages = await self._pages_of(requests, LIST_TIME_MS_MAX, live)
            return {each: AnsweredPage(rows, live.is_current) for each, rows in pages.items()}

        return await self._generations.answer(question)

    async def _page_of_search(self, request: PageRequest, live: Generation) -> PageRows:
        return (await self._pages_of([request], SEARCH_TIME_MS_MAX, live))[request]

    async def _pages_of(
        self, requests: Sequence[PageRequest], time_ms_max: int, live: Generation
    ) -> Mapping[PageRequest, PageRows]:
        snapshot = self._generations.snapshot_of(live)
        async with store_call():
            return await self._pages.now(live, snapshot, requests, time_ms_max)

    async def _page_of_first_snapshot(
        self, request: PageRequest, live: Generation
    ) -> tuple[PageRows, SnapshotTime]:
        """The page as of the snapshot in which the list was first read, and that snapshot."""
        snapshot = request.after.snapshot if request.after else None
        async with store_call():
            if snapshot is None:
                newest = self._generations.snapshot_of(live)
                return await self._pages.first(live, newest, request, SEARCH_TIME_MS_MAX)
            return await self._pages.at(live, snapshot, request, SEARCH_TIME_MS_MAX), snapshot


def _orders_of(request: PageRequest) -> int:
    return request.limit


def _position_of(
    list_query: ListQuery, rows: Sequence[PageRow], snapshot: SnapshotTime | None
) -> PagePosition | None:
    """The position of the last row that has one: a damaged one may not."""
    for row in reversed(rows):
        placed_at = milliseconds(row.placed_at) if row.placed_at else None
        key = row.total if list_query.sort.by_total else placed_at
        if key is not None:
            return PagePosition(key, row.order_id, snapshot)
    return None
