"""The business days that are being closed: their orders are ended, each by itself."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from service_kit.runtime.components import Ready
from sqlalchemy import DateTime, Text, bindparam, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.domain.day_closing import DayClosing
from ordering.domain.order import END_AGAIN_AFTER, KitchenVerdict
from ordering.domain.restaurant import ONE_DAY, Restaurant
from ordering.outbound.database.steps import failures_of
from ordering.outbound.database.tables import (
    UNFINISHED,
    DayClosingRow,
    OrderRow,
    RestaurantRow,
    table,
)
from ordering.outbound.transaction.rows import day_closing_of, restaurant_of

POLL_INTERVAL_S = 1.0
"""Seconds between two looks."""
LOOKS_PER_SEARCH = 10
"""Looks at what is being closed for each search for what is to be."""
STEPS_MAX = 64
"""Orders of a restaurant that are ended between two looks, and days that are closed, together: so
many that whoever comes in between does not wait for long.
"""

ORDERS, CLOSINGS, RESTAURANTS = table(OrderRow), table(DayClosingRow), table(RestaurantRow)
SELECT_RUNNING = select(CLOSINGS).where(CLOSINGS.c.finished_at.is_(None))
_OF_CLOSING = (
    UNFINISHED,
    ORDERS.c.restaurant == bindparam("restaurant"),
    ORDERS.c.business_day <= bindparam("day"),
    ORDERS.c.placed_at < bindparam("until", type_=DateTime(timezone=True)),
)
_ASKED_AT = cast(ORDERS.c.cancellation["requested_at"].astext, DateTime(timezone=True))
_TO_END = or_(
    (ORDERS.c.status == "open") & ORDERS.c.handed_over_at.is_(None),
    (ORDERS.c.status == "cancelling")
    & (ORDERS.c.cancellation["closes"].astext == "true")
    & cast(ORDERS.c.kitchen, Text).contains(f'"{KitchenVerdict.STARTED}"')
    & (bindparam("asked_by", type_=DateTime(timezone=True)) >= _ASKED_AT),
)
SELECT_TO_END = (
    select(ORDERS.c.id).where(*_OF_CLOSING, _TO_END).order_by(ORDERS.c.id).limit(STEPS_MAX)
)
COUNT_UNFINISHED = select(func.count()).where(*_OF_CLOSING)
_FORGOTTEN = (
    select(ORDERS.c.restaurant, func.min(ORDERS.c.business_day).label("first_day"))
    .where(UNFINISHED, ORDERS.c.handed_over_at.is_(None))
    .group_by(ORDERS.c.restaurant)
    .subquery()
)
SELECT_FORGOTTEN = (
    select(RESTAURANTS, _FORGOTTEN.c.first_day)
    .join(_FORGOTTEN, _FORGOTTEN.c.restaurant == RESTAURANTS.c.restaurant)
    .where(RESTAURANTS.c.closes_days)
)


@dataclass(frozen=True, slots=True)
class DayClosings:
    """What is done for the days that are being closed.

    `close_day` begins to close a restaurant's day, `end` ends an order of a closing, and `finish`
    notes that all of them are over.
    """

    close_day: Callable[[str, date], Awaitable[object]]
    end: Callable[[DayClosing, UUID], Awaitable[object]]
    finish: Callable[[DayClosing], Awaitable[object]]


async def watch_day_closings(
    engine: AsyncEngine, ready: Ready, closings: DayClosings, *, clock: Callable[[], datetime]
) -> None:
    """End the orders of days that are being closed, and close days that close by themselves.

    Safe to run from many replicas, and to go on with after a crash: what is done is in the orders.
    Raises when the store does not answer, and what one order met once the others were ended.
    """
    for look in itertools.count():
        async with engine.connect() as connection:
            running = await select_running(connection)
            is_due = look % LOOKS_PER_SEARCH == 0
            forgotten = await select_forgotten(connection, at=clock()) if is_due else ()
        failures: list[Exception] = []
        for first in range(0, len(forgotten), STEPS_MAX):
            some = forgotten[first : first + STEPS_MAX]
            failures += await failures_of(closings.close_day(*each) for each in some)
        for closing in running:
            failures += await _go_on(engine, closing, closings, clock())
        if failures:
            raise failures[0]
        ready()
        await asyncio.sleep(POLL_INTERVAL_S)


async def _go_on(
    engine: AsyncEngine, closing: DayClosing, closings: DayClosings, at: datetime
) -> list[Exception]:
    """End orders of the closing, so many as share a transaction. Returns what they met."""
    async with engine.connect() as connection:
        to_end = await select_to_end(connection, closing, at=at)
    failures = await failures_of(closings.end(closing, order_id) for order_id in to_end)
    async with engine.connect() as connection:
        unfinished = await count_unfinished(connection, closing)
    if not unfinished:
        failures += await failures_of([closings.finish(closing)])
    return failures


async def select_running(connection: AsyncConnection) -> Sequence[DayClosing]:
    """The closings that are not finished."""
    return [day_closing_of(row) for row in (await connection.execute(SELECT_RUNNING)).mappings()]


async def select_to_end(
    connection: AsyncConnection, closing: DayClosing, *, at: datetime
) -> Sequence[UUID]:
    """The orders of a closing with which something is to be done; the oldest first.

    Takeaway orders that are handed over close by themselves, and a cancellation settles first.
    """
    values = _of(closing) | {"asked_by": at - END_AGAIN_AFTER}
    return (await connection.execute(SELECT_TO_END, values)).scalars().all()


async def count_unfinished(connection: AsyncConnection, closing: DayClosing) -> int:
    """How many orders of a closing are not over."""
    return (await connection.execute(COUNT_UNFINISHED, _of(closing))).scalar_one()


async def select_forgotten(
    connection: AsyncConnection, *, at: datetime
) -> Sequence[tuple[str, date]]:
    """Restaurants that close their days, with unfinished orders of a day that is over; that day."""
    found = []
    for row in (await connection.execute(SELECT_FORGOTTEN)).mappings():
        restaurant: Restaurant = restaurant_of(row)
        running = restaurant.business_day(at)
        if row["first_day"] < running:
            found.append((restaurant.slug, running - ONE_DAY))
    return found


def _of(closing: DayClosing) -> dict[str, object]:
    return {
        "restaurant": closing.restaurant,
        "day": closing.business_day,
        "until": closing.requested_at,
    }
