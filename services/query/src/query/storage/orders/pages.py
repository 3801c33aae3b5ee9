"""Reads pages of lists, many by one question: each from an index and from one snapshot."""

# decision/0022: a list by total is a snapshot

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple

import bson
from bson import Timestamp
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, DESCENDING
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from query.storage.client import DOCUMENT, raw_answer
from query.storage.generations import Generation
from query.storage.members import SNAPSHOT
from query.views.merge import Document
from query.views.orders import search_terms
from query.views.orders.list_query import ListQuery, PagePosition, SnapshotTime, at_milliseconds
from query.views.orders.status import ViewStatus
from query.views.ports import DamagedView, PageExpired

SNAPSHOT_GONE_CODES = frozenset({72, 239, 246})
"""Codes of MongoDB: InvalidOptions (a time that never was, or is to come), SnapshotTooOld,
SnapshotUnavailable."""

PAGE_BYTES_MAX = 4 * 1024 * 1024
"""JSON of one page: the page ends before the order with which it would be longer, but has one."""

RENDERED_ORDERS_MAX = 2000
"""Orders whose JSON is cached: lists are read again and again, and few orders change."""
RENDERED_ORDER_BYTES_MAX = 8 * 1024
"""A larger document is not cached, so that the cache has a bound in bytes: twice 16 MiB."""

PAGE_SEPARATOR = bson.encode({})
"""Stands between two pages that are read together; no order is an empty document."""

Filter = dict[str, Any]
Stages = list[dict[str, Any]]


class PageRequest(NamedTuple):
    """A page of a list: up to `limit` orders, from the beginning or after another page.

    It is shorter if its JSON would be longer than `PAGE_BYTES_MAX`.
    """

    list_query: ListQuery
    after: PagePosition | None
    limit: int


class PageRow(NamedTuple):
    """An order of a page: its JSON, and what its position in a list is made of."""

    json: bytes | None
    """None if it can't be shown."""
    order_id: str
    placed_at: datetime | None
    """None, as the total, if the document is damaged in it."""
    total: int | None


class PageRows(NamedTuple):
    """The orders of a page, and whether none comes after them."""

    rows: list[PageRow]
    is_last: bool


NO_ROWS = PageRows([], is_last=True)


class Pages:
    """Reads pages. `render` makes the JSON of an order; it is cached by the document."""

    def __init__(self, render: Callable[[Document], bytes]) -> None:
        self._render = render
        self._cached_row = lru_cache(maxsize=RENDERED_ORDERS_MAX)(partial(_row, render))

    async def now(
        self,
        live: Generation,
        snapshot: ReadConcern,
        requests: Sequence[PageRequest],
        time_ms_max: int,
    ) -> Mapping[PageRequest, PageRows]:
        """The pages as they are now, by one question unless they are too large for one answer.

        The store gives a question up after `time_ms_max`.
        """
        pages: list[PageRows] = []
        while left := requests[len(pages) :]:
            read, _ = await self._read(live, left, snapshot.document, time_ms_max)
            pages += read
        return dict(zip(requests, pages, strict=True))

    async def first(
        self, live: Generation, snapshot: ReadConcern, request: PageRequest, time_ms_max: int
    ) -> tuple[PageRows, SnapshotTime]:
        """The page as it is now, and the snapshot it is of.

        That is what whoever answers has: another member may not have come as far.
        """
        [page], time = await self._read(live, [request], snapshot.document, time_ms_max)
        return page, SnapshotTime(live.number, time.time, time.inc)

    async def at(
        self, live: Generation, snapshot: SnapshotTime, request: PageRequest, time_ms_max: int
    ) -> PageRows:
        """The page as of a snapshot. Raises PageExpired if that can't be read any more."""
        if snapshot.generation != live.number:
            raise PageExpired
        time = Timestamp(snapshot.seconds, snapshot.increment)
        then = {"level": SNAPSHOT, "atClusterTime": time}
        try:
            [page], _ = await self._read(live, [request], then, time_ms_max)
        except OperationFailure as error:
            if error.code in SNAPSHOT_GONE_CODES:
                raise PageExpired from error
            raise
        return page

    async def _read(
        self,
        live: Generation,
        requests: Sequence[PageRequest],
        read_concern: Mapping[str, Any],
        time_ms_max: int,
    ) -> tuple[list[PageRows], Timestamp]:
        """The first pages, at least one, and the snapshot that they are of.

        They are those that are in one answer of the store (16 MiB).

        The answer is larger than a page may be, so the page that it breaks off in is whole as a
        rule; where it is not, and is not the first one, it is left to the next question.
        """
        first, *others = (_stages(each) for each in requests)
        answer = await raw_answer(
            live.orders,
            "aggregate",
            pipeline=first + [stage for each in others for stage in _appended(live, each)],
            cursor={"batchSize": sum(each.limit + 2 for each in requests)},
            readConcern=read_concern,
            maxTimeMS=time_ms_max,
        )
        pages = [_PageBuilder(request.limit) for request in requests]
        unread = iter(pages)
        page = next(unread)
        for document in answer.documents:
            if document.raw == PAGE_SEPARATOR:
                page = next(unread)
            elif not page.is_full:
                page.add(self._row(bytes(document.raw)))
        if answer.snapshot_time is None:
            raise RuntimeError("the store answered from no snapshot, though one was asked for")
        if answer.is_whole:
            return [each.rows() for each in pages], answer.snapshot_time
        read = pages[: pages.index(page) + (page.is_full or page is pages[0])]
        return [each.rows(is_broken_off=each is page) for each in read], answer.snapshot_time

    def _row(self, raw: bytes) -> PageRow:
        is_small = len(raw) <= RENDERED_ORDER_BYTES_MAX
        return self._cached_row(raw) if is_small else _row(self._render, raw)


class _PageBuilder:
    """Takes the orders of a page as they come, until it is full."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rows: list[PageRow] = []
        self._bytes = 0
        self.is_full = False
        """Whether an order came that the page has no room for."""

    def add(self, row: PageRow) -> None:
        self._bytes += len(row.json or b"")
        is_too_long = self._rows and self._bytes > PAGE_BYTES_MAX
        if is_too_long or len(self._rows) == self._limit:
            self.is_full = True
        else:
            self._rows.append(row)

    def rows(self, *, is_broken_off: bool = False) -> PageRows:
        return PageRows(self._rows, is_last=not self.is_full and not is_broken_off)


def _row(render: Callable[[Document], bytes], raw: bytes) -> PageRow:
    document: Mapping[str, Any]
    json: bytes | None
    try:
        decoded = bson.decode(raw, DOCUMENT)
        document, json = decoded, render(decoded)
    except (BSONError, DamagedView):
        document, json = RawBSONDocument(raw), None
    order = document.get("order")
    placed_at, total = (order.get("placed_at"), order.get("total")) if order else (None, None)
    return PageRow(
        json,
        document["_id"],
        placed_at if isinstance(placed_at, datetime) else None,
        total if isinstance(total, int) else None,
    )


def _stages(request: PageRequest) -> Stages:
    return [
        {"$match": _filter(request.list_query, request.after)},
        {"$sort": _sort(request.list_query)},
        {"$limit": request.limit + 1},  # one more tells whether the page is the last
    ]


def _appended(live: Generation, stages: Stages) -> Stages:
    """The stages that append another page."""
    return [
        {"$unionWith": {"pipeline": [{"$documents": [{}]}]}},
        {"$unionWith": {"coll": live.orders.name, "pipeline": stages}},
    ]


def _filter(list_query: ListQuery, after: PagePosition | None) -> Filter:
    """The filter of a page. Terms that leave few orders come first: the index takes the first."""
    terms, all_of = _terms(list_query), [_after_position(list_query, after)] if after else []
    which: Filter = {"restaurant": list_query.restaurant}
    if terms:
        which["order.found_by"] = {"$all": terms}
    if list_query.statuses != frozenset(ViewStatus):
        which["status"] = {"$in": sorted(list_query.statuses)}
    if list_query.placed_from or list_query.placed_to:
        bounds = {"$gte": list_query.placed_from, "$lt": list_query.placed_to}
        which["order.placed_at"] = {name: at for name, at in bounds.items() if at}
    if list_query.min_total or list_query.sort.by_total:
        which["order.total"] = {"$gte": list_query.min_total}
    return {**which, "$and": all_of} if all_of else which


def _terms(list_query: ListQuery) -> list[str]:
    terms = [search_terms.of_customer(list_query.customer)] if list_query.customer else []
    terms += sorted(list_query.words, key=lambda word: (-len(word), word))
    if list_query.table:
        of_table = search_terms.of_active_table if list_query.only_active else search_terms.of_table
        terms.append(of_table(list_query.table))
    if list_query.channel:
        terms.append(search_terms.of_channel(list_query.channel))
    is_narrow = terms or list_query.sort.by_total or list_query.statuses != frozenset(ViewStatus)
    return terms if is_narrow else [search_terms.ANY_ORDER]


def _after_position(list_query: ListQuery, after: PagePosition) -> Filter:
    """Orders after this position: the first bound is for the index, the others are for ties."""
    beyond, up_to = ("$lt", "$lte") if list_query.sort.is_descending else ("$gt", "$gte")
    key = after.key if list_query.sort.by_total else at_milliseconds(after.key)
    ties = [{_key(list_query): {beyond: key}}, {"_id": {beyond: after.order_id}}]
    return {_key(list_query): {up_to: key}, "$or": ties}


def _sort(list_query: ListQuery) -> dict[str, int]:
    direction = DESCENDING if list_query.sort.is_descending else ASCENDING
    return {_key(list_query): direction, "_id": direction}


def _key(list_query: ListQuery) -> str:
    return "order.total" if list_query.sort.by_total else "order.placed_at"
