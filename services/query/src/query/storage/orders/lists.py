"""Lists of orders in MongoDB: every page is read from an index and from one state of the store."""

from collections.abc import Callable, Mapping, Sequence

from pymongo.read_concern import ReadConcern

from query.storage.batch_loader import BatchLoader
from query.storage.client import store_call
from query.storage.generations import Generation, Generations
from query.storage.orders.pages import SNAPSHOT, PageRequest, PageRow, Pages
from query.views.merge import Document
from query.views.orders import search_terms
from query.views.orders.list_query import ListQuery, PagePosition, SnapshotTime, milliseconds
from query.views.orders.status import ACTIVE
from query.views.ports import Page

PAGES_PER_FETCH_MAX = 16
"""Pages that are read together at most, so that none waits long for others."""

TABLE_FIELDS = {
    "status": 1,
    **{f"order.{name}": 1 for name in ("table", "guests", "number", "total")},
}
TABLE_FIELDS |= {f"order.{name}": 1 for name in ("currency", "placed_at", "version")}
"""What is shown of an order at its table."""


class MongoLists:
    """The store `Lists`, from the collection `orders` of the live generation."""

    def __init__(self, generations: Generations, render: Callable[[Document], bytes]) -> None:
        """`render` makes the JSON that a list has of an order."""
        self._generations = generations
        self._pages = Pages(render)
        self._pages_now = BatchLoader(self._now, batch_keys_max=PAGES_PER_FETCH_MAX)

    async def version(self, restaurant: str, order_id: str) -> int:
        majority = self._generations.live.orders.with_options(
            read_concern=ReadConcern("majority")  # what every later snapshot has, too
        )
        of_it = {"_id": order_id, "restaurant": restaurant, "order": {"$exists": True}}
        async with store_call():
            found = await majority.find_one(of_it, {"order.version": 1})
        return int(found["order"]["version"]) if found else 0

    async def numbered(self, restaurant: str, day: str, number: str) -> Document | None:
        term = search_terms.of_number(day, number)
        which = {"restaurant": restaurant, "order.found_by": term}
        async with store_call():
            return await self._generations.live.orders.find_one(which)

    async def page(self, listing: ListQuery, after: PagePosition | None, limit: int) -> Page:
        asked = PageRequest(listing, after, limit + 1)
        if listing.sort.by_total:
            found, moment = await self._page_of_first_snapshot(asked)
        else:
            found, moment = await self._pages_now.load(asked) or [], None
        shown = found[:limit]
        is_last = len(found) <= limit
        place = None if is_last else _place(listing, shown[-1], moment)
        return Page([each.json for each in shown], place)

    async def seated(self, restaurant: str) -> list[Document]:
        snapshot = self._generations.live.orders.with_options(read_concern=ReadConcern(SNAPSHOT))
        active = {"restaurant": restaurant, "status": {"$in": sorted(ACTIVE)}}
        at_tables = snapshot.find({**active, "order.table": {"$type": "string"}}, TABLE_FIELDS)
        async with store_call():
            return await at_tables.to_list()

    async def _now(self, asked: Sequence[PageRequest]) -> Mapping[PageRequest, list[PageRow]]:
        async with store_call():
            return await self._pages.now(self._generations.live, asked)

    async def _page_of_first_snapshot(
        self, asked: PageRequest
    ) -> tuple[list[PageRow], SnapshotTime]:
        """The page in the state that the list was first read in, and which one that is."""
        live, moment = self._generations.live, asked.after.moment if asked.after else None
        async with store_call():
            moment = moment or await _current_snapshot(live)
            return await self._pages.at(live, moment, asked), moment


async def _current_snapshot(live: Generation) -> SnapshotTime:
    """The state that the store is in."""
    time = (await live.orders.database.command("ping"))["operationTime"]
    return SnapshotTime(live.number, time.time, time.inc)


def _place(listing: ListQuery, last: PageRow, moment: SnapshotTime | None) -> PagePosition:
    key = last.total if listing.sort.by_total else milliseconds(last.placed_at)
    return PagePosition(key, last.order_id, moment)
