"""Which streams the views are made from, and how far: kept beside them, to be lost with them."""

from datetime import datetime

from comanda_contracts import Event, MenuEvent, OrderEvent, RestaurantEvent, TicketEvent
from pymongo import ReturnDocument, WriteConcern

from query.storage.client import WRITE_TIMEOUT_S, Database, store_call
from query.storage.generations import Generations
from query.views import menu
from query.views.merge import Document
from query.views.ports import Checkpoint

CHECKPOINTS = "checkpoints"


class MongoCheckpoints:
    """The port `Checkpoints`, in a collection of its own, which no generation has."""

    def __init__(self, database: Database, generations: Generations) -> None:
        self._checkpoints = database[CHECKPOINTS]
        self._unconfirmed = self._checkpoints.with_options(write_concern=WriteConcern(1))
        self._generations = generations

    async def known(self) -> dict[str, Checkpoint]:
        async with store_call():
            found = await self._checkpoints.find({}).to_list()
        return {
            each["_id"]: Checkpoint(
                each["created"],
                each["sequence"],
                is_lost=each["is_lost"],
                stored=each.get("stored"),
                looks=each.get("looks", 0),
            )
            for each in found
        }

    async def add(self, stream: str, created: str, sequence: int, *, is_lost: bool) -> None:
        says = _said(created, sequence) | {"is_lost": is_lost}
        async with store_call(WRITE_TIMEOUT_S):
            await self._checkpoints.update_one({"_id": stream}, {"$setOnInsert": says}, upsert=True)

    async def advance(self, stream: str, created: str, sequence: int) -> None:
        lower = {"_id": stream, "created": created, "sequence": {"$lt": sequence}}
        async with store_call(WRITE_TIMEOUT_S):
            await self._checkpoints.update_one(lower, {"$set": _said(created, sequence)})

    async def note_stored(self, stream: str, sequence: int) -> None:
        # `w: 1` is enough: who finds less of it than was acknowledged looks at the views themselves
        async with store_call(WRITE_TIMEOUT_S):
            await self._unconfirmed.update_one({"_id": stream}, {"$max": {"stored": sequence}})

    async def count_look(self, stream: str) -> int:
        async with store_call(WRITE_TIMEOUT_S):
            counted = await self._checkpoints.find_one_and_update(
                {"_id": stream}, {"$inc": {"looks": 1}}, return_document=ReturnDocument.AFTER
            )
        return int(counted["looks"]) if counted else 0

    async def replace(self, stream: str, created: str, sequence: int) -> None:
        says = _said(created, sequence) | {"is_lost": False, "stored": sequence}
        async with store_call(WRITE_TIMEOUT_S):
            await self._checkpoints.update_one({"_id": stream}, {"$set": says}, upsert=True)

    async def lose(self, stream: str) -> None:
        async with store_call(WRITE_TIMEOUT_S):
            await self._checkpoints.update_one({"_id": stream}, {"$set": {"is_lost": True}})

    async def has_effect_of(self, event: Event) -> bool:
        async with store_call():
            await self._generations.refresh()
            live = self._generations.live
            match event:
                case OrderEvent(order=order):
                    collection, key, version = live.orders, str(order.order_id), "order.version"
                case TicketEvent(ticket=ticket):
                    collection, key = live.orders, str(ticket.order_id)
                    version = f"tickets.{ticket.round}.version"
                case MenuEvent():
                    collection, key = live.menu, menu.view_of(event).key
                    version = "state.version"
                case RestaurantEvent():
                    collection, key = live.restaurants, menu.view_of(event).key
                    version = "state.version"
                case _:
                    raise TypeError(f"no view is made from {type(event).__name__}")
            wanted = {"_id": key, version: {"$gte": event.state.version}}
            return await collection.find_one(wanted, {"_id": 1}) is not None

    async def has_views(self) -> bool:
        async with store_call():
            await self._generations.refresh()
            live = self._generations.live
            for collection in (live.orders, live.restaurants, live.menu):
                if await collection.find_one({}, {"_id": 1}):
                    return True
        return False


def _said(created: str, sequence: int) -> Document:
    return {"created": created, "sequence": sequence, "at": datetime.now()}  # noqa: DTZ005 - for people only
