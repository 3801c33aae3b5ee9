"""Lists of orders in MongoDB: every page is read from an index and from one state of the store."""

from collections.abc import Callable, Mapping, Sequence

from pymongo.read_concern import ReadConcern

from query.storage.batch_loader import BatchLoader
from query.storage.client import store_call
from query.storage.generations import Generation, Generations
from query.storage.orders.pages import SNAPSHOT, Asked, Listed, Pages
from query.views.merge import Document
from query.views.orders import search_terms as finding
from query.views.orders.list_query import Listing, Moment, Place, milliseconds
from query.views.orders.status import ACTIVE
from query.views.ports import Page

PAGES = 16
"""Pages that are read together at most, so that none waits long for others."""

SEATED = {"status": 1, **{f"order.{name}": 1 for name in ("table", "guests", "number", "total")}}
SEATED |= {f"order.{name}": 1 for name in ("currency", "placed_at", "version")}
"""What is shown of an order at its table."""


class MongoLists:
    """The store `Lists`, from the collection `orders` of the live generation."""

    def __init__(self, generations: Generations, render: Callable[[Document], bytes]) -> None:
        """`render` makes the JSON that a list has of an order."""
        self._generations = generations
        self._pages = Pages(render)
        self._pages_now = BatchLoader(self._now, batch_keys_max=PAGES)

    async def version(self, restaurant: str, order_id: str) -> int:
        majority = self._generations.live.orders.with_options(
            read_concern=ReadConcern("majority")  # what every later snapshot has, too
        )
        of_it = {"_id": order_id, "restaurant": restaurant, "order": {"$exists": True}}
        async with store_call():
            found = await majority.find_one(of_it, {"order.version": 1})
        return int(found["order"]["version"]) if found else 0

    async def numbered(self, restaurant: str, day: str, number: str) -> Document | None:
        term = finding.of_number(day, number)
        which = {"restaurant": restaurant, "order.found_by": term}
        async with store_call():
            return await self._generations.live.orders.find_one(which)

    async def page(self, listing: Listing, after: Place | None, limit: int) -> Page:
        asked = Asked(listing, after, limit + 1)
        if listing.sort.by_total:
            found, moment = await self._as_first_read(asked)
        else:
            found, moment = await self._pages_now.load(asked) or [], None
        shown = found[:limit]
        is_last = len(found) <= limit
        place = None if is_last else _place(listing, shown[-1], moment)
        return Page([each.json for each in shown], place)

    async def seated(self, restaurant: str) -> list[Document]:
        snapshot = self._generations.live.orders.with_options(read_concern=ReadConcern(SNAPSHOT))
        active = {"restaurant": restaurant, "status": {"$in": sorted(ACTIVE)}}
        at_tables = snapshot.find({**active, "order.table": {"$type": "string"}}, SEATED)
        async with store_call():
            return await at_tables.to_list()

    async def _now(self, asked: Sequence[Asked]) -> Mapping[Asked, list[Listed]]:
        async with store_call():
            return await self._pages.now(self._generations.live, asked)

    async def _as_first_read(self, asked: Asked) -> tuple[list[Listed], Moment]:
        """The page in the state that the list was first read in, and which one that is."""
        live, moment = self._generations.live, asked.after.moment if asked.after else None
        async with store_call():
            moment = moment or await _this_moment(live)
            return await self._pages.at(live, moment, asked), moment


async def _this_moment(live: Generation) -> Moment:
    """The state that the store is in."""
    time = (await live.orders.database.command("ping"))["operationTime"]
    return Moment(live.number, time.time, time.inc)


def _place(listing: Listing, last: Listed, moment: Moment | None) -> Place:
    key = last.total if listing.sort.by_total else milliseconds(last.placed_at)
    return Place(key, last.order_id, moment)
