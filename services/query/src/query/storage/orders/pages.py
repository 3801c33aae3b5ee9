"""Pages of lists: each is read from an index and from one state of the store, many at a time."""

# decision/0022: a list by total is a snapshot

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple

import bson
from bson import Timestamp
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.command_cursor import AsyncCommandCursor
from pymongo.errors import OperationFailure

from query.storage.generations import Generation
from query.views.merge import Document
from query.views.orders import search_terms
from query.views.orders.list_query import ListQuery, PagePosition, SnapshotTime, at_milliseconds
from query.views.orders.status import ViewStatus
from query.views.ports import PageExpired

SNAPSHOT = "snapshot"
"""Read concern: a change in the middle of a scan can't hide an order or show it twice."""

SNAPSHOT_GONE_CODES = frozenset({239, 246})
"""Codes of MongoDB: SnapshotTooOld, SnapshotUnavailable."""

RAW_BSON: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)

RENDERED_ORDERS_MAX = 2000
"""Orders whose JSON is kept: lists are asked for again and again, and few orders change."""

PAGE_SEPARATOR = bson.encode({})
"""What stands between two pages that are read together: no order looks like that."""

Filter = dict[str, Any]
Stages = list[dict[str, Any]]


class PageRequest(NamedTuple):
    """At most so many orders of a list, from its beginning or from where a page ended."""

    listing: ListQuery
    after: PagePosition | None
    limit: int


class PageRow(NamedTuple):
    """An order of a page: its JSON, and what its place in a list may be told by."""

    json: bytes
    order_id: str
    placed_at: datetime
    total: int


class Pages:
    """Reads pages. `render` makes an order's JSON, of the same document once."""

    def __init__(self, render: Callable[[Document], bytes]) -> None:
        self._listed = lru_cache(maxsize=RENDERED_ORDERS_MAX)(partial(_listed, render))

    async def now(
        self, live: Generation, asked: Sequence[PageRequest]
    ) -> Mapping[PageRequest, list[PageRow]]:
        """The pages as they are now, by one question to the store."""
        return dict(zip(asked, await self._read(live, asked, {}), strict=True))

    async def at(self, live: Generation, moment: SnapshotTime, asked: PageRequest) -> list[PageRow]:
        """The page as it was then. Raises PageExpired if that can't be read any more."""
        if moment.generation != live.number:
            raise PageExpired
        then = {"atClusterTime": Timestamp(moment.seconds, moment.increment)}
        try:
            [page] = await self._read(live, [asked], then)
        except OperationFailure as error:
            if error.code in SNAPSHOT_GONE_CODES:
                raise PageExpired from error
            raise
        return page

    async def _read(
        self, live: Generation, asked: Sequence[PageRequest], when: Mapping[str, Timestamp]
    ) -> list[list[PageRow]]:
        first, *others = (_stages(each) for each in asked)
        cursor: AsyncCommandCursor[Any] = await live.orders.database.cursor_command(
            "aggregate",
            live.orders.name,
            pipeline=first + [stage for each in others for stage in _appended(live, each)],
            cursor={"batchSize": sum(each.limit + 1 for each in asked)},
            readConcern={"level": SNAPSHOT, **when},
            codec_options=RAW_BSON,
        )
        pages: list[list[PageRow]] = [[]]
        for document in await cursor.to_list():
            if document.raw == PAGE_SEPARATOR:
                pages.append([])
            else:
                pages[-1].append(self._listed(document.raw))
        return pages


def _listed(render: Callable[[Document], bytes], raw: bytes) -> PageRow:
    document = bson.decode(raw)
    order = document["order"]
    return PageRow(render(document), document["_id"], order["placed_at"], order["total"])


def _stages(asked: PageRequest) -> Stages:
    return [
        {"$match": _filter(asked.listing, asked.after)},
        {"$sort": _sort(asked.listing)},
        {"$limit": asked.limit},
    ]


def _appended(live: Generation, stages: Stages) -> Stages:
    """Has another page follow."""
    return [
        {"$unionWith": {"pipeline": [{"$documents": [{}]}]}},
        {"$unionWith": {"coll": live.orders.name, "pipeline": stages}},
    ]


def _filter(listing: ListQuery, after: PagePosition | None) -> Filter:
    """Terms first by how few orders they leave: the index is searched by the first of them."""
    terms, all_of = _terms(listing), [_after_position(listing, after)] if after else []
    which: Filter = {"restaurant": listing.restaurant}
    if terms:
        which["order.found_by"] = {"$all": terms}
    if listing.statuses != frozenset(ViewStatus):
        which["status"] = {"$in": sorted(listing.statuses)}
    if listing.placed_from or listing.placed_to:
        bounds = {"$gte": listing.placed_from, "$lt": listing.placed_to}
        which["order.placed_at"] = {name: at for name, at in bounds.items() if at}
    if listing.min_total or listing.sort.by_total:
        which["order.total"] = {"$gte": listing.min_total}
    return {**which, "$and": all_of} if all_of else which


def _terms(listing: ListQuery) -> list[str]:
    terms = [search_terms.of_customer(listing.customer)] if listing.customer else []
    terms += sorted(listing.words, key=lambda word: (-len(word), word))
    if listing.table:
        of_table = search_terms.of_active_table if listing.only_active else search_terms.of_table
        terms.append(of_table(listing.table))
    if listing.channel:
        terms.append(search_terms.of_channel(listing.channel))
    is_narrow = terms or listing.sort.by_total or listing.statuses != frozenset(ViewStatus)
    return terms if is_narrow else [search_terms.ANY_ORDER]


def _after_position(listing: ListQuery, after: PagePosition) -> Filter:
    """What comes after the place. The first bound is for the index, the others are for ties."""
    beyond, up_to = ("$lt", "$lte") if listing.sort.is_descending else ("$gt", "$gte")
    key = after.key if listing.sort.by_total else at_milliseconds(after.key)
    ties = [{_key(listing): {beyond: key}}, {"_id": {beyond: after.order_id}}]
    return {_key(listing): {up_to: key}, "$or": ties}


def _sort(listing: ListQuery) -> dict[str, int]:
    direction = DESCENDING if listing.sort.is_descending else ASCENDING
    return {_key(listing): direction, "_id": direction}


def _key(listing: ListQuery) -> str:
    return "order.total" if listing.sort.by_total else "order.placed_at"
