"""Sums sales up: each hour that was written to anew, from its orders alone, and its day.

Events come twice and in any order, so sums can't be counted up. An hour is summed up from what its
orders are now, by the pure fold of `views/sales/view.py`, and the sum carries the stamp that the
hour had before its orders were read. Whoever writes after that raises the stamp, so the newest sum
has the highest, and `$max` keeps it: any number of replicas may sum the same hour up at once. A
claim spares them that; it is no lock, and one that nobody renews runs out.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Histogram
from pymongo import ASCENDING, UpdateOne
from pymongo.asynchronous.cursor import AsyncCursor
from service_kit.runtime.components import Ready

from query.storage.client import (
    COMMAND_READ_TIMEOUT_S,
    iterate,
    store_call,
    write,
)
from query.storage.generations import Generation, Generations
from query.storage.sales.store import DIRTY, hour_key
from query.views.merge import Document
from query.views.orders.search_terms import ANY_ORDER
from query.views.ports import StoreUnavailable, TimedOut, TooSlow
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
"""For which others leave a day to whoever claimed it, or renewed that, also after a failure."""
CLAIM_RENEWAL_INTERVAL_S = 5.0
CLAIM_RENEWAL_TIMEOUT_S = 5.0
CHUNK_TIMEOUT_S = CLAIM_TIMEOUT_S - CLAIM_RENEWAL_INTERVAL_S - 2 * CLAIM_RENEWAL_TIMEOUT_S
"""In which some of the orders, or of the hours, are read, so that a claim doesn't run out between
two renewals; all of them may take any time."""
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
    claim = await _claim(generation, {"$expr": {"$lte": ["$due", "$$NOW"]}})
    if claim is None:
        return 0.0
    began = time.perf_counter()
    await _roll_up_or_report(claim)
    return time.perf_counter() - began


async def roll_up_all(generation: Generation) -> None:
    """Sum up, at once and without a rest, whatever was written before this call.

    A day that can't be summed up is reported, and tried again later as any other is.
    """
    last = ""
    while keys := await _dirty_after(generation, last):
        if claim := await _claim(generation, {"_id": {"$in": keys}}):
            await _roll_up_or_report(claim)
        last = keys[-1]


async def _dirty_after(generation: Generation, key: str) -> list[str]:
    """The keys of the next days that were written to, at most as many as are claimed together."""
    dirty = generation.sales_days.find(
        {**DIRTY, "_id": {"$gt": key}}, {"_id": 1}, sort=[("_id", ASCENDING)], limit=BATCH_DAYS
    )
    async with store_call(COMMAND_READ_TIMEOUT_S):
        return [each["_id"] async for each in dirty]


class _Claim:
    """Days that others leave alone for as long as this is renewed, as they were when claimed."""

    def __init__(
        self, generation: Generation, days: Sequence[Document], key: str, renewed_at: float
    ) -> None:
        self.generation = generation
        self.days = days
        self._key = key
        self._renewed_at = renewed_at

    def halves(self) -> list["_Claim"]:
        """The first days and the others, each to be renewed by itself."""
        middle = len(self.days) // 2
        return [
            _Claim(self.generation, some, self._key, self._renewed_at)
            for some in (self.days[:middle], self.days[middle:])
        ]

    async def keep(self) -> None:
        """Renew it if that is due; a day that somebody else has claimed meanwhile stays theirs.

        Raises StoreUnavailable.
        """
        if _clock() - self._renewed_at < CLAIM_RENEWAL_INTERVAL_S:
            return
        ours = {"_id": {"$in": [day["_id"] for day in self.days]}, "claim": self._key}
        async with store_call(CLAIM_RENEWAL_TIMEOUT_S):
            await self.generation.sales_days.update_many(
                ours, [{"$set": {"due": _from_now(CLAIM_TIMEOUT_S)}}]
            )
        self._renewed_at = _clock()

    async def read(self, cursor: AsyncCursor[Document]) -> AsyncGenerator[Document, None]:
        """All documents of a cursor, each chunk in `CHUNK_TIMEOUT_S`, while the claim is kept."""
        async for each in iterate(cursor, timeout_s=CHUNK_TIMEOUT_S):
            await self.keep()
            yield each


async def _roll_up_or_report(claim: _Claim) -> None:
    """Sum up the days together; if that fails its halves, down to the day whose fault it is.

    So it is if that takes too long, as long as the store still renews the claim.
    """
    await claim.keep()
    began = time.perf_counter()
    try:
        await _roll_up(claim, began)
    except Exception as error:  # such as a sum beyond 64 bits: the other days go on
        if isinstance(error, StoreUnavailable) and not isinstance(error, TimedOut | TooSlow):
            raise
        if len(claim.days) > 1:
            for half in claim.halves():
                await _roll_up_or_report(half)
            return
        [day] = claim.days
        log.warning("sales of a day not summed up", day=day["_id"], reason=str(error)[:200])
    ROLL_UP_SECONDS.observe(time.perf_counter() - began)


async def _claim(generation: Generation, which: dict[str, Any]) -> _Claim | None:
    """Days to sum up, with the stamps and the time (by the store's clock) before that; or none."""
    days = generation.sales_days
    wanted, key = {**DIRTY, **which}, uuid.uuid4().hex
    async with store_call():
        due = days.find(wanted, {"_id": 1}, sort=[("due", ASCENDING)], limit=BATCH_DAYS)
        keys = [each["_id"] async for each in due]
        if not keys:
            return None
        claimed = {"due": _from_now(CLAIM_TIMEOUT_S), "claimed": "$$NOW", "claim": key}
        claimed_at = _clock()
        await days.update_many({"_id": {"$in": keys}, **wanted}, [{"$set": claimed}])
        ours = await days.find(
            {"_id": {"$in": keys}, "claim": key},
            {"restaurant": 1, "day": 1, "stamp": 1, "hours": 1, "claimed": 1},
        ).to_list()
    return _Claim(generation, ours, key, claimed_at) if ours else None


async def _roll_up(claim: _Claim, began: float) -> None:
    """The stamps were read before the orders are: who writes from now on raises them.

    However many days it is, that is a few questions for each `BATCH_HOURS` that were written to.
    """
    generation, days = claim.generation, claim.days
    stale = await _stale_hours(claim)
    for start in range(0, len(stale), BATCH_HOURS):
        some = stale[start : start + BATCH_HOURS]
        sales = await _sales_of(claim, [hour for hour, _ in some])
        updates = [_hour_update(hour, stamp, sales[hour]) for hour, stamp in some]
        await write(generation.sales_hours, updates)
        await claim.keep()
    sums = await _sums_of_hours(claim)
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


async def _stale_hours(claim: _Claim) -> list[tuple[Hour, int]]:
    """The hours of the days that were written to since they were summed up, with their stamps."""
    hours = [
        (_hour(day, name), stamp) for day in claim.days for name, stamp in day["hours"].items()
    ]
    which = {"_id": {"$in": [hour_key(hour) for hour, _ in hours]}}
    found = claim.generation.sales_hours.find(which, {"summary.stamp": 1})
    known = {each["_id"]: each["summary"]["stamp"] async for each in claim.read(found)}
    return [(hour, stamp) for hour, stamp in hours if stamp > known.get(hour_key(hour), 0)]


async def _sales_of(claim: _Claim, hours: Sequence[Hour]) -> dict[Hour, Sales]:
    sales = {hour: Sales() for hour in hours}
    orders = claim.generation.orders.find(
        {"$or": [_placed_in(hour) for hour in hours]}, SALES_FIELDS, batch_size=BATCH_ORDERS
    )
    async for order in claim.read(orders):
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


async def _sums_of_hours(claim: _Claim) -> dict[str, Sales]:
    """The sum of each day, by its key."""
    sums = {day["_id"]: Sales() for day in claim.days}
    keys = [hour_key(_hour(day, name)) for day in claim.days for name in day["hours"]]
    found = claim.generation.sales_hours.find(
        {"_id": {"$in": keys}}, {"summary": 1}, batch_size=BATCH_ORDERS
    )
    async for hour in claim.read(found):
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


def _clock() -> float:
    return asyncio.get_running_loop().time()
