"""Sums sales up: each hour that was written to anew, from its orders alone, and its day.

Events come twice and in any order, so sums can't be counted up. An hour is summed up from what its
orders are now, by the pure fold of `views/sales/view.py`, and the sum carries the stamp that the
hour had before its orders were read. Whoever writes after that raises the stamp, so the newest sum
has the highest, and `$max` keeps it: any number of replicas may sum the same hour up at once. A
claim spares them that; it is no lock, and one that nobody fulfils runs out.
"""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Histogram
from pymongo import ASCENDING, ReturnDocument
from service_kit.runtime.components import Ready

from query.storage.client import COMMAND_READ_TIMEOUT_S, iterate, store_call
from query.storage.generations import Generation, Generations
from query.storage.sales.store import DIRTY, hour_key
from query.views.merge import Document
from query.views.orders.search_terms import ANY_ORDER
from query.views.ports import StoreUnavailable
from query.views.sales.view import Hour, Sales

log = structlog.get_logger()

ROLL_UP_SECONDS = Histogram(
    "comanda_query_roll_up_seconds",
    "For which the hours of a day that were written to were summed up",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

POLL_INTERVAL_S = 0.25
"""Between two searches for days that are due."""
PAUSE_MIN_S = 0.5
"""Between two sums of one day at least: a flood of events is summed up together."""
REST_FACTOR = 9
"""The rest after a sum, by how long it took: summing up takes a tenth of the time at most."""
CLAIM_TIMEOUT_S = 30.0
"""For which others leave a day to whoever claimed it, also after a failure."""
BATCH_ORDERS = 200
"""Orders that are decoded in one go, which holds up everything else in this process."""

SALES_FIELDS = {
    "order": {
        "status": 1,
        "channel": 1,
        "currency": 1,
        "placed_at": 1,
        "rounds": {
            "round": 1,
            "voided": 1,
            "ordered_at": 1,
            "total": 1,
            "lines": {"sku": 1, "name": 1, "quantity": 1, "unit_price": 1},
        },
    },
    "tickets": 1,
}
"""The fields of an order that `Sales` uses."""


# decision/0009: sales are summed up, not counted up
class RollUp:
    """Keeps the sums of every generation that is written in step with its orders."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations

    async def run(self, ready: Ready) -> None:
        """Sum up days that are due, for ever, but for a tenth of the time at most."""
        while True:
            took = 0.0
            for generation in await self._generations.written():
                took += await roll_up_next(generation)
            ready()
            await asyncio.sleep(REST_FACTOR * took or POLL_INTERVAL_S)


async def roll_up_next(generation: Generation) -> float:
    """Sum up the day that is longest due. Returns the seconds it took; 0 if nothing was due.

    Raises StoreUnavailable. Whatever else goes wrong with a day is reported, and it is tried again
    later.
    """
    day = await _claim(generation, {"$expr": {"$lte": ["$due", "$$NOW"]}})
    if day is None:
        return 0.0
    return await _roll_up_or_report(generation, day)


async def _roll_up_or_report(generation: Generation, day: Document) -> float:
    began = time.perf_counter()
    try:
        await _roll_up(generation, day, began)
    except StoreUnavailable:
        raise
    except Exception as error:  # such as a sum beyond 64 bits: the other days go on
        log.warning("sales of a day not summed up", day=day["_id"], reason=str(error)[:200])
    took = time.perf_counter() - began
    ROLL_UP_SECONDS.observe(took)
    return took


async def roll_up_all(generation: Generation) -> None:
    """Sum up, at once and without a rest, whatever was written before this call.

    A day that can't be summed up is reported, and tried again later as any other is.
    """
    dirty = generation.sales_days.find(DIRTY, {"_id": 1}, sort=[("_id", ASCENDING)])
    async for found in iterate(dirty, timeout_s=COMMAND_READ_TIMEOUT_S):
        if day := await _claim(generation, {"_id": found["_id"]}):
            await _roll_up_or_report(generation, day)


async def _claim(generation: Generation, which: dict[str, Any]) -> Document | None:
    """A day to sum up, with the stamps and the time (by the store's clock) before that."""
    async with store_call():
        return await generation.sales_days.find_one_and_update(
            {**DIRTY, **which},
            [{"$set": {"due": _from_now(CLAIM_TIMEOUT_S), "claimed": "$$NOW"}}],
            {"restaurant": 1, "day": 1, "stamp": 1, "hours": 1, "claimed": 1},
            sort=[("due", ASCENDING)],
            return_document=ReturnDocument.AFTER,
        )


async def _roll_up(generation: Generation, day: Document, began: float) -> None:
    """The stamps were read before the orders are: who writes from now on raises them."""
    for hour, stamp in await _stale_hours(generation, day):
        sales = await _sales_of(generation, hour)
        kept = {"restaurant": hour.restaurant, "day": hour.day, "hour": hour.start}
        update = [{"$set": {**_literal(kept), "summary": _newest(stamp, sales)}}]
        async with store_call():
            await generation.sales_hours.update_one({"_id": hour_key(hour)}, update, upsert=True)
    sales = await _sum_of_hours(generation, day)
    pause = max(PAUSE_MIN_S, REST_FACTOR * (time.perf_counter() - began))
    async with store_call():
        await generation.sales_days.update_one(
            {"_id": day["_id"]}, _day_update(day["stamp"], sales, pause, day["claimed"])
        )


async def _stale_hours(generation: Generation, day: Document) -> list[tuple[Hour, int]]:
    """The hours of the day that were written to since they were summed up, with their stamps."""
    async with store_call():
        found = await generation.sales_hours.find(_its_hours(day), {"summary.stamp": 1}).to_list()
    known = {each["_id"]: each["summary"]["stamp"] for each in found}
    hours = [(_hour(day, name), stamp) for name, stamp in day["hours"].items()]
    return [(hour, stamp) for hour, stamp in hours if stamp > known.get(hour_key(hour), 0)]


async def _sales_of(generation: Generation, hour: Hour) -> Sales:
    sales = Sales()
    orders = generation.orders.find(
        {
            "restaurant": hour.restaurant,
            "order.found_by": ANY_ORDER,
            "order.placed_at": {"$gte": hour.start, **_before_next(hour)},
            "order.business_day": hour.day,
        },
        SALES_FIELDS,
        batch_size=BATCH_ORDERS,
    )
    async with store_call(CLAIM_TIMEOUT_S):
        async for order in orders:
            sales.add_order(order)
    return sales


def _before_next(hour: Hour) -> dict[str, datetime]:
    """The end of an hour, which the last one of the calendar has not."""
    try:
        return {"$lt": hour.start + timedelta(hours=1)}
    except OverflowError:
        return {}


async def _sum_of_hours(generation: Generation, day: Document) -> Sales:
    sales = Sales()
    async with store_call(CLAIM_TIMEOUT_S):
        async for hour in generation.sales_hours.find(_its_hours(day), {"summary": 1}):
            sales.add(Sales.stored(hour["summary"]))
    return sales


def _day_update(stamp: int, sales: Sales, pause: float, claimed: datetime) -> list[dict[str, Any]]:
    """Sets the day's sum, whether it was written to meanwhile, and when it is due again."""
    behind = {"$gt": ["$stamp", "$summary.stamp"]}
    since = {"$max": ["$since", claimed]}
    return [
        {"$set": {"summary": _newest(stamp, sales)}},
        {
            "$set": {
                "due": _from_now(pause),
                "dirty": {"$cond": [behind, True, "$$REMOVE"]},
                "since": {"$cond": [behind, since, "$$REMOVE"]},
            }
        },
    ]


def _newest(stamp: int, sales: Sales) -> dict[str, Any]:
    """The stamp is the first key, and so what `$max` compares."""
    return {"$max": ["$summary", {"$literal": {"stamp": stamp, **sales.document()}}]}


def _literal(fields: Document) -> dict[str, Any]:
    return {name: {"$literal": value} for name, value in fields.items()}


def _its_hours(day: Document) -> dict[str, Any]:
    return {"_id": {"$gte": f"{day['_id']}/", "$lte": f"{day['_id']}/~"}}


def _hour(day: Document, name: str) -> Hour:
    return Hour(day["restaurant"], day["day"], datetime.fromisoformat(name))


def _from_now(seconds: float) -> dict[str, Any]:
    """By the clock of the store, which all replicas share."""
    return {"$add": ["$$NOW", int(seconds * 1000)]}
