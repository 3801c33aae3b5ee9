"""Takes out of stored orders what came before their guests were forgotten.

A merge puts entries into a timeline without a look at what is there: that keeps it fast, and an
order that is forgotten is rare. So it is looked afterwards: whichever of two projectors comes
second finds what both have stored.
"""

from collections.abc import Sequence
from typing import Any

from pymongo import UpdateMany

from query.storage.client import store_call, write
from query.storage.generations import Generation
from query.views.orders.view import ORDERING

_SOURCE = {
    "$cond": [
        {"$eq": ["$$entry.v.source", ORDERING]},
        ORDERING,
        {"$concat": ["$$entry.v.source", "-", {"$toString": "$$entry.v.round"}]},
    ]
}
_IS_BEFORE: dict[str, Any] = {
    "$anyElementTrue": {
        "$map": {
            "input": {"$objectToArray": "$forgotten"},
            "as": "at",
            "in": {
                "$and": [
                    {"$eq": ["$$at.k", _SOURCE]},
                    {"$gt": ["$$at.v", "$$entry.v.version"]},
                ]
            },
        }
    }
}
ERASE_STAGE = {
    "$set": {
        "timeline": {
            "$arrayToObject": {
                "$filter": {
                    "input": {"$objectToArray": "$timeline"},
                    "as": "entry",
                    "cond": {"$not": [_IS_BEFORE]},
                }
            }
        }
    }
}
"""As `views/orders/view.py` has it in `without_forgotten`."""


async def erase_forgotten(generation: Generation, order_ids: Sequence[str]) -> None:
    """Take out of those of the orders whose guests are forgotten what came before.

    Call it after the orders were merged, and before their events are acknowledged. Safe to repeat,
    and to run at once. Raises what `client.write` raises.
    """
    forgotten = {"_id": {"$in": list(order_ids)}, "forgotten": {"$exists": True}}
    async with store_call():
        found = await generation.orders.find(forgotten, {"_id": 1}).to_list()
    ids = [each["_id"] for each in found]
    if ids:
        await write(generation.orders, [UpdateMany({"_id": {"$in": ids}}, [ERASE_STAGE])])
