"""Sales in MongoDB: which hours are to be summed up anew, and the sums that are kept ready.

`sales_days` holds a document for each business day of a restaurant and `sales_hours` one for each
hour of it. A day's document counts, in `hours` and `stamp`, how often something in it was written;
`storage/sales/roll_up.py` sums up anew what has been since.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, UpdateOne
from service_kit.runtime.clock import utc_now

from query.storage.client import SEARCH_TIME_MS_MAX, store_call, write
from query.storage.fair_slots import FairSlots
from query.storage.generations import Generation, Generations
from query.views.merge import Document
from query.views.orders.view import OrderView
from query.views.sales.chain import ChainSales, RestaurantSales
from query.views.sales.view import Hour, Period, Sales, SalesSummary, Span

CHAIN_SUMS_MAX, CHAIN_SUMS_OF_ONE_SUBJECT_MAX = 2, 1
"""Sums of chains that are under way at once: each may look at half a million days."""
DIRTY = {"dirty": True}
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - as the store has times: UTC, without a zone
FIGURE_FIELDS = {"summary.currency": 1, "summary.channels": 1}
ITEM_FIELDS = {"summary.items": 1}
FRESHNESS_FIELDS = {"day": 1, "hour": 1, "since": 1}
CHAIN_STAGES: list[dict[str, Any]] = [
    {
        "$project": {
            "restaurant": 1,
            "since": 1,
            "currency": "$summary.currency",
            "channels": {"$objectToArray": {"$ifNull": ["$summary.channels", {}]}},
        }
    },
    {
        "$group": {
            "_id": {"restaurant": "$restaurant", "currency": "$currency"},
            "revenue": {"$sum": {"$sum": "$channels.v.revenue"}},
            "orders": {"$sum": {"$sum": "$channels.v.orders"}},
            "since": {"$min": "$since"},
        }
    },
]
"""Sums days up by restaurant and currency; a day that was not summed up yet has no currency."""


class MongoSales:
    """The port `Sales`, in the collections `sales_days` and `sales_hours` of each generation."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations
        self._chain_slots = FairSlots(total=CHAIN_SUMS_MAX, each=CHAIN_SUMS_OF_ONE_SUBJECT_MAX)

    async def set_up(self) -> None:
        """Make the index that finds what is to be summed up, if it is not there."""
        for generation in await self._generations.written():
            await generation.sales_days.create_index(
                [("due", ASCENDING)], partialFilterExpression=DIRTY
            )

    async def days(self, span: Span, *, items: bool) -> SalesSummary:
        wanted = FRESHNESS_FIELDS | FIGURE_FIELDS | (ITEM_FIELDS if items else {})

        async def question(live: Generation) -> SalesSummary:
            now = self._read_at(live)
            days = live.sales_days.find(_days(span), wanted, sort=[("_id", 1)])
            async with store_call():
                found = await days.to_list()
            return SalesSummary(_periods(found), _as_of(found, now))

        return await self._generations.answer(question)

    async def hours(self, span: Span, *, items: bool) -> SalesSummary:
        wanted = FRESHNESS_FIELDS | FIGURE_FIELDS | (ITEM_FIELDS if items else {})

        async def question(live: Generation) -> SalesSummary:
            now = self._read_at(live)
            hours = live.sales_hours.find(_hours(span), wanted, sort=[("_id", 1)])
            async with store_call():  # the days first: the hours are then at least as fresh
                days = await live.sales_days.find(_days(span), FRESHNESS_FIELDS).to_list()
                found = await hours.to_list()
            return SalesSummary(_periods(found), _as_of(days, now))

        return await self._generations.answer(question)

    async def chain(
        self, restaurants: Sequence[str], first_day: str, last_day: str, *, subject: str
    ) -> ChainSales:
        if not restaurants:
            return ChainSales([], _now())
        spans = [_days(Span(each, first_day, last_day)) for each in restaurants]

        async def question(live: Generation) -> ChainSales:
            now = self._read_at(live)
            async with store_call():
                summing = await live.sales_days.aggregate(
                    [{"$match": {"$or": spans}}, *CHAIN_STAGES], maxTimeMS=SEARCH_TIME_MS_MAX
                )
                found = await summing.to_list()
            sold = [
                RestaurantSales(**each["_id"], revenue=each["revenue"], orders=each["orders"])
                for each in found
                if each["_id"].get("currency")
            ]
            return ChainSales(sold, min([now, *(each["since"] for each in found if each["since"])]))

        async with self._chain_slots.slot(subject):
            return await self._generations.answer(question)

    async def top(self, restaurant: str, day: str, limit: int) -> Document | None:
        wanted = {"since": 1, "summary.currency": 1, "summary.items": {"$slice": limit}}

        async def question(live: Generation) -> Document | None:
            now = self._read_at(live)
            async with store_call():
                found = await live.sales_days.find_one({"_id": day_key(restaurant, day)}, wanted)
            if found is None or "summary" not in found:
                return None
            return {"as_of": _as_of([found], now), **found["summary"]}

        return await self._generations.answer(question)

    def _read_at(self, live: Generation) -> datetime:
        """Before what time everything that was stored then is in an answer."""
        stored = None if live.is_current else self._generations.members.as_of()
        return stored.replace(tzinfo=None) if stored else _now()


async def mark_for_roll_up(generation: Generation, views: Sequence[OrderView]) -> None:
    """Have the hours summed up anew in which these orders were placed.

    Call it after the views were merged, and before their events are acknowledged. Repeating it
    costs a sum, and changes none. Raises what `client.write` raises.
    """
    since = _now()
    hours = {Hour.of(view.restaurant, view.order) for view in views if view.order}
    hours |= await _hours_of_tickets(generation, views)
    await write(generation.sales_days, _marks(hours, since))


def day_key(restaurant: str, day: str) -> str:
    """The `_id` of a day; those of its hours begin with it."""
    return f"{restaurant}/{day}"


def hour_key(hour: Hour) -> str:
    return f"{day_key(hour.restaurant, hour.day)}/{_hour_name(hour)}"


def _hour_name(hour: Hour) -> str:
    return f"{hour.start:%Y-%m-%dT%H}"


def _marks(hours: set[Hour], since: datetime) -> list[UpdateOne]:
    """One update a day; `since` is the oldest change that is not summed up."""
    days: dict[tuple[str, str], list[Hour]] = defaultdict(list)
    for hour in hours:
        days[hour.restaurant, hour.day].append(hour)
    return [
        UpdateOne(
            {"_id": day_key(restaurant, day)},
            {
                "$inc": {"stamp": 1, **{f"hours.{_hour_name(hour)}": 1 for hour in touched}},
                "$min": {"since": since},
                "$set": {"restaurant": restaurant, "day": day, **DIRTY},
                "$setOnInsert": {"due": EPOCH},
            },
            upsert=True,
        )
        for (restaurant, day), touched in days.items()
    ]


async def _hours_of_tickets(generation: Generation, views: Sequence[OrderView]) -> set[Hour]:
    """The hours of the orders whose tickets changed: only the store knows when they were placed.

    One that is not known yet marks its hour when it comes. Before a round is ready its ticket
    changes no sales.
    """
    ids = [view.order_id for view in views if _tells_of_waiting(view)]
    if not ids:
        return set()
    async with store_call():
        placed = await (await generation.orders.aggregate(_placed(ids))).to_list()
    return {Hour(each["restaurant"], each["day"], each["start"]) for each in placed}


def _tells_of_waiting(view: OrderView) -> bool:
    return not view.order and any(ticket["ready_at"] for ticket in view.tickets.values())


def _placed(ids: list[str]) -> list[dict[str, Any]]:
    """Grouped by the server: a few hours to decode instead of every order."""
    start = {"$dateTrunc": {"date": "$order.placed_at", "unit": "hour"}}
    hour = {"restaurant": "$restaurant", "day": "$order.business_day", "start": start}
    return [
        {"$match": {"_id": {"$in": ids}, "order.placed_at": {"$exists": True}}},
        {"$group": {"_id": hour}},
        {"$replaceRoot": {"newRoot": "$_id"}},
    ]


def _days(span: Span) -> dict[str, Any]:
    first = day_key(span.restaurant, span.first_day)
    return {"_id": {"$gte": first, "$lte": day_key(span.restaurant, span.last_day)}}


def _hours(span: Span) -> dict[str, Any]:
    """`~` comes after whatever an hour is called."""
    first, last = (day_key(span.restaurant, day) for day in (span.first_day, span.last_day))
    wanted: dict[str, Any] = {"_id": {"$gte": f"{first}/", "$lte": f"{last}/~"}}
    if span.start and span.end:
        wanted["hour"] = {"$gte": span.start, "$lt": span.end}
    return wanted


def _periods(found: Sequence[Document]) -> list[Period]:
    return [
        Period(each["day"], each.get("hour"), Sales.stored(each["summary"]))
        for each in found
        if "summary" in each
    ]


def _as_of(days: Sequence[Document], now: datetime) -> datetime:
    waiting: list[datetime] = [each["since"] for each in days if "since" in each]
    return min([now, *waiting])


def _now() -> datetime:
    return utc_now().replace(tzinfo=None)
