"""Sums sales up: each hour that was written to anew, from its orders alone, and its day.

Events come twice and in any order, so sums can't be counted up. An hour is summed up from what its
orders are now, by the pure fold of `views/sales/view.py`, and the sum carries the stamp that the
hour had before its orders were read. Whoever writes after that raises the stamp, so the newest sum
has the highest, and `$max` keeps it: any number of replicas may sum the same hour up at once. A
claim spares them that; it is no lock, and one that nobody fulfils runs out.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Histogram
from pymongo import ASCENDING, UpdateOne
from service_kit.runtime.components import Ready

from query.storage.client import COMMAND_READ_TIMEOUT_S, store_call, write
from query.storage.generations import Generation, Generations
from query.storage.sales.store import DIRTY, hour_key
from query.views.merge import Document
from query.views.orders.search_terms import ANY_ORDER
from query.views.ports import StoreUnavailable
from query.views.sales.view import Hour, Sales

log = structlog.get_logger()

ROLL_UP_SECONDS = Histogram(
    "comanda_query_roll_up_seconds",
    "For which the hours of some days that were written to were summed up together",
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
BURST_S = 10.0
"""For which it may work without a rest, after it had none to do for ten times as long."""
BATCH_DAYS = 100
"""Days that are summed up together."""
BATCH_HOURS = 100
"""Hours whose orders are read by one question."""
BATCH_ORDERS = 200
"""Orders, or hours, that are decoded in one go, which holds up everything else in this process."""

SALES_FIELDS = {
    "restaurant": 1,
    "order": {
        "business_day": 1,
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
"""The fields of an order that `Sales` and `Hour` use."""


# decision/0009: sales are summed up, not counted up
class RollUp:
    """Keeps the sums of every generation that is written in step with its orders."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations

    async def run(self, ready: Ready) -> None:
        """Sum up days that are due, for ever, but for a tenth of the time at most.

        After a rest it may work for `BURST_S` at a stretch: a thousand restaurants take a second or
        two, and more beside others on a busy machine.
        """
        clock = asyncio.get_running_loop().time
        saved_s, began = BURST_S, clock()
        while True:
            took = 0.0
            for generation in await self._generations.written():
                took += await roll_up_next(generation)
            ready()
            if not took:
                await asyncio.sleep(POLL_INTERVAL_S)
            saved_s = min(BURST_S, saved_s + (clock() - began) / (REST_FACTOR + 1)) - took
            began = clock()
            if saved_s < 0:
                await asyncio.sleep(-saved_s * (REST_FACTOR + 1))


async def roll_up_next(generation: Generation) -> float:
    """Sum up the days that are longest due. Returns the seconds it took; 0 if nothing was due.

    Raises StoreUnavailable. Whatever else goes wrong with a day is reported, and it is tried again
    later.
    """
    days = await _claim(generation, {"$expr": {"$lte": ["$due", "$$NOW"]}})
    if not days:
        return 0.0
    began = time.perf_counter()
    await _roll_up_or_report(generation, days)
    return time.perf_counter() - began


async def roll_up_all(generation: Generation) -> None:
    """Sum up, at once and without a rest, whatever was written before this call.

    A day that can't be summed up is reported, and tried again later as any other is.
    """
    async with store_call(COMMAND_READ_TIMEOUT_S):
        dirty = generation.sales_days.find(DIRTY, {"_id": 1}, sort=[("_id", ASCENDING)])
        keys = [each["_id"] async for each in dirty]
    for start in range(0, len(keys), BATCH_DAYS):
        days = await _claim(generation, {"_id": {"$in": keys[start : start + BATCH_DAYS]}})
        await _roll_up_or_report(generation, days)


async def _roll_up_or_report(generation: Generation, days: Sequence[Document]) -> None:
    """Sum up the days together; if that fails its halves, down to the day whose fault it is."""
    began = time.perf_counter()
    try:
        await _roll_up(generation, days, began)
    except StoreUnavailable:
        raise
    except Exception as error:  # such as a sum beyond 64 bits: the other days go on
        if len(days) > 1:
            middle = len(days) // 2
            await _roll_up_or_report(generation, days[:middle])
            await _roll_up_or_report(generation, days[middle:])
            return
        [day] = days
        log.warning("sales of a day not summed up", day=day["_id"], reason=str(error)[:200])
    ROLL_UP_SECONDS.observe(time.perf_counter() - began)


async def _claim(generation: Generation, which: dict[str, Any]) -> list[Document]:
    """Days to sum up, with the stamps and the time (by the store's clock) before that."""
    days = generation.sales_days
    wanted, claim = {**DIRTY, **which}, uuid.uuid4().hex
    async with store_call():
        due = days.find(wanted, {"_id": 1}, sort=[("due", ASCENDING)], limit=BATCH_DAYS)
        keys = [each["_id"] async for each in due]
        if not keys:
            return []
        claimed = {"due": _from_now(CLAIM_TIMEOUT_S), "claimed": "$$NOW", "claim": claim}
        await days.update_many({"_id": {"$in": keys}, **wanted}, [{"$set": claimed}])
        return await days.find(
            {"_id": {"$in": keys}, "claim": claim},
            {"restaurant": 1, "day": 1, "stamp": 1, "hours": 1, "claimed": 1},
        ).to_list()


async def _roll_up(generation: Generation, days: Sequence[Document], began: float) -> None:
    """The stamps were read before the orders are: who writes from now on raises them.

    However many days it is, that is a few questions for each `BATCH_HOURS` that were written to.
    """
    stale = await _stale_hours(generation, days)
    for start in range(0, len(stale), BATCH_HOURS):
        some = stale[start : start + BATCH_HOURS]
        sales = await _sales_of(generation, [hour for hour, _ in some])
        updates = [_hour_update(hour, stamp, sales[hour]) for hour, stamp in some]
        await write(generation.sales_hours, updates)
    sums = await _sums_of_hours(generation, days)
    pause = max(PAUSE_MIN_S, REST_FACTOR * (time.perf_counter() - began) / max(1, len(days)))
    await write(
        generation.sales_days,
        [
            UpdateOne(
                {"_id": day["_id"]},
                _day_update(day["stamp"], sums[day["_id"]], pause, day["claimed"]),
            )
            for day in days
        ],
    )


async def _stale_hours(generation: Generation, days: Sequence[Document]) -> list[tuple[Hour, int]]:
    """The hours of the days that were written to since they were summed up, with their stamps."""
    hours = [(_hour(day, name), stamp) for day in days for name, stamp in day["hours"].items()]
    which = {"_id": {"$in": [hour_key(hour) for hour, _ in hours]}}
    async with store_call(CLAIM_TIMEOUT_S):
        found = generation.sales_hours.find(which, {"summary.stamp": 1})
        known = {each["_id"]: each["summary"]["stamp"] async for each in found}
    return [(hour, stamp) for hour, stamp in hours if stamp > known.get(hour_key(hour), 0)]


async def _sales_of(generation: Generation, hours: Sequence[Hour]) -> dict[Hour, Sales]:
    sales = {hour: Sales() for hour in hours}
    orders = generation.orders.find(
        {"$or": [_placed_in(hour) for hour in hours]}, SALES_FIELDS, batch_size=BATCH_ORDERS
    )
    async with store_call(CLAIM_TIMEOUT_S):
        async for order in orders:
            sales[Hour.of(order["restaurant"], order["order"])].add_order(order)
    return sales


def _placed_in(hour: Hour) -> dict[str, Any]:
    return {
        "restaurant": hour.restaurant,
        "order.found_by": ANY_ORDER,
        "order.placed_at": {"$gte": hour.start, **_before_next(hour)},
        "order.business_day": hour.day,
    }


def _before_next(hour: Hour) -> dict[str, datetime]:
    """The end of an hour, which the last one of the calendar has not."""
    try:
        return {"$lt": hour.start + timedelta(hours=1)}
    except OverflowError:
        return {}


def _hour_update(hour: Hour, stamp: int, sales: Sales) -> UpdateOne:
    kept = {"restaurant": hour.restaurant, "day": hour.day, "hour": hour.start}
    update = [{"$set": {**_literal(kept), "summary": _newest(stamp, sales)}}]
    return UpdateOne({"_id": hour_key(hour)}, update, upsert=True)


async def _sums_of_hours(generation: Generation, days: Sequence[Document]) -> dict[str, Sales]:
    """The sum of each day, by its key."""
    sums = {day["_id"]: Sales() for day in days}
    keys = [hour_key(_hour(day, name)) for day in days for name in day["hours"]]
    async with store_call(CLAIM_TIMEOUT_S):
        found = generation.sales_hours.find(
            {"_id": {"$in": keys}}, {"summary": 1}, batch_size=BATCH_ORDERS
        )
        async for hour in found:
            sums[hour["_id"].rpartition("/")[0]].add(Sales.stored(hour["summary"]))
    return sums


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


def _hour(day: Document, name: str) -> Hour:
    return Hour(day["restaurant"], day["day"], datetime.fromisoformat(name))


def _from_now(seconds: float) -> dict[str, Any]:
    """By the clock of the store, which all replicas share."""
    return {"$add": ["$$NOW", int(seconds * 1000)]}
