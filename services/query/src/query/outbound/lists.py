"""Lists of orders in MongoDB: every page is read from an index and from one state of the store."""

from typing import Any

from bson import Timestamp
from pymongo import ASCENDING, DESCENDING
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from query.outbound.generations import Generation, Generations
from query.outbound.mongo import answering
from query.views import finding
from query.views.listing import Listing, Moment, Place, at_milliseconds, milliseconds
from query.views.status import ACTIVE, ViewStatus
from query.views.store import Document, Page, PageExpired

LISTED = {"timeline": 0, "order.found_by": 0, "order.assumed": 0, "order.overruled": 0}
"""What no list shows."""

SEATED = {"status": 1, **{f"order.{name}": 1 for name in ("table", "guests", "number", "total")}}
SEATED |= {f"order.{name}": 1 for name in ("currency", "placed_at", "version")}
"""What is shown of an order at its table."""

SNAPSHOT = "snapshot"
"""Read concern: a change in the middle of a scan can't hide an order or show it twice."""

TOO_OLD = frozenset({239, 246})
"""Codes of MongoDB: SnapshotTooOld, SnapshotUnavailable."""

Filter = dict[str, Any]


class MongoLists:
    """The store `Lists`, from the collection `orders` of the live generation."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations

    async def version(self, restaurant: str, order_id: str) -> int:
        majority = self._generations.live.orders.with_options(
            read_concern=ReadConcern("majority")  # what every later snapshot has, too
        )
        of_it = {"_id": order_id, "restaurant": restaurant, "order": {"$exists": True}}
        async with answering():
            found = await majority.find_one(of_it, {"order.version": 1})
        return int(found["order"]["version"]) if found else 0

    async def numbered(self, restaurant: str, day: str, number: str) -> Document | None:
        term = finding.of_number(day, number)
        which = {"restaurant": restaurant, "order.found_by": term}
        async with answering():
            return await self._generations.live.orders.find_one(which)

    async def page(self, listing: Listing, after: Place | None, limit: int) -> Page:
        live, moment = self._generations.live, after.moment if after else None
        async with answering():
            if listing.sort.by_total:
                moment = moment or await _now(live)
            found = await _read(live, listing, after, moment, limit + 1)
        shown = found[:limit]
        is_last = len(found) <= limit
        return Page(shown, None if is_last else _place(listing, shown[-1], moment))

    async def seated(self, restaurant: str) -> list[Document]:
        snapshot = self._generations.live.orders.with_options(read_concern=ReadConcern(SNAPSHOT))
        active = {"restaurant": restaurant, "status": {"$in": sorted(ACTIVE)}}
        at_tables = snapshot.find({**active, "order.table": {"$type": "string"}}, SEATED)
        async with answering():
            return await at_tables.to_list()


async def _read(
    live: Generation, listing: Listing, after: Place | None, moment: Moment | None, limit: int
) -> list[Document]:
    """The orders from there on, as they were at the moment or, if there is none, as they are.

    Raises PageExpired.
    """
    concern: dict[str, Any] = {"level": SNAPSHOT}
    if moment:
        if moment.generation != live.number:
            raise PageExpired
        concern["atClusterTime"] = Timestamp(moment.seconds, moment.increment)
    try:
        cursor = await live.orders.database.cursor_command(
            "find",
            live.orders.name,
            filter=_which(listing, after),
            sort=_sort(listing),
            projection=LISTED,
            limit=limit,
            readConcern=concern,
        )
        return await cursor.to_list()
    except OperationFailure as error:
        if error.code in TOO_OLD:
            raise PageExpired from error
        raise


async def _now(live: Generation) -> Moment:
    """The state that the store is in."""
    time = (await live.orders.database.command("ping"))["operationTime"]
    return Moment(live.number, time.time, time.inc)


def _which(listing: Listing, after: Place | None) -> Filter:
    """Terms first by how few orders they leave: the index is searched by the first of them."""
    terms, all_of = _terms(listing), [_beyond(listing, after)] if after else []
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


def _terms(listing: Listing) -> list[str]:
    terms = [finding.of_customer(listing.customer)] if listing.customer else []
    terms += sorted(listing.words, key=lambda word: (-len(word), word))
    if listing.table:
        of_table = finding.of_active_table if listing.only_active else finding.of_table
        terms.append(of_table(listing.table))
    if listing.channel:
        terms.append(finding.of_channel(listing.channel))
    is_narrow = terms or listing.sort.by_total or listing.statuses != frozenset(ViewStatus)
    return terms if is_narrow else [finding.ANY_ORDER]


def _beyond(listing: Listing, after: Place) -> Filter:
    """What comes after the place. The first bound is for the index, the others are for ties."""
    beyond, up_to = ("$lt", "$lte") if listing.sort.is_descending else ("$gt", "$gte")
    key = after.key if listing.sort.by_total else at_milliseconds(after.key)
    ties = [{_key(listing): {beyond: key}}, {"_id": {beyond: after.order_id}}]
    return {_key(listing): {up_to: key}, "$or": ties}


def _sort(listing: Listing) -> dict[str, int]:
    direction = DESCENDING if listing.sort.is_descending else ASCENDING
    return {_key(listing): direction, "_id": direction}


def _key(listing: Listing) -> str:
    return "order.total" if listing.sort.by_total else "order.placed_at"


def _place(listing: Listing, last: Document, moment: Moment | None) -> Place:
    order = last["order"]
    key = order["total"] if listing.sort.by_total else milliseconds(order["placed_at"])
    return Place(key, last["_id"], moment)
