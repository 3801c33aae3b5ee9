"""Which streams the views are made from, and how far: kept beside them, to be lost with them."""

from datetime import datetime

from query.storage.client import WRITE_TIMEOUT_S, Database, store_call
from query.storage.generations import Generations
from query.views.ports import Checkpoint

CHECKPOINTS = "checkpoints"


class MongoCheckpoints:
    """The port `Checkpoints`, in a collection of its own, which no generation has."""

    def __init__(self, database: Database, generations: Generations) -> None:
        self._checkpoints = database[CHECKPOINTS]
        self._generations = generations

    async def known(self) -> dict[str, Checkpoint]:
        async with store_call():
            found = await self._checkpoints.find({}).to_list()
        return {
            each["_id"]: Checkpoint(each["created"], each["sequence"], is_lost=each["is_lost"])
            for each in found
        }

    async def put(self, stream: str, created: str, sequence: int, *, is_lost: bool) -> None:
        says = {"created": created, "sequence": sequence, "is_lost": is_lost, "at": datetime.now()}  # noqa: DTZ005 - for people only
        async with store_call(WRITE_TIMEOUT_S):
            await self._checkpoints.replace_one({"_id": stream}, says, upsert=True)

    async def has_views(self) -> bool:
        async with store_call():
            await self._generations.refresh()
            live = self._generations.live
            for collection in (live.orders, live.restaurants, live.menu):
                if await collection.find_one({}, {"_id": 1}):
                    return True
        return False
