"""The day's order numbers: counted per restaurant and business day, in the order's transaction."""

import asyncio
from collections import defaultdict
from datetime import date

from sqlalchemy import Date, Integer, Text, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.outbound.database.tables import DayRow, table
from ordering.outbound.transaction.batch_loader import fail_all

DAYS = table(DayRow)

_TAKEN = (
    func.unnest(
        bindparam("restaurants", type_=ARRAY(Text)),
        bindparam("days", type_=ARRAY(Date)),
        bindparam("counts", type_=ARRAY(Integer)),
    )
    .table_valued("restaurant", "day", "count")
    .render_derived("taken")
)
_INSERT = insert(DAYS).from_select(
    ("restaurant", "day", "orders"),
    select(_TAKEN.c.restaurant, _TAKEN.c.day, _TAKEN.c["count"]).order_by(
        _TAKEN.c.restaurant, _TAKEN.c.day
    ),
)
TAKE_NUMBERS = _INSERT.on_conflict_do_update(
    index_elements=(DAYS.c.restaurant, DAYS.c.day),
    set_={DAYS.c.orders: DAYS.c.orders + _INSERT.excluded.orders},
).returning(DAYS.c.restaurant, DAYS.c.day, DAYS.c.orders)


class DaySequences:
    """Hands out the numbers of a day's orders, all that are pending in one statement."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._pending: dict[tuple[str, date], list[asyncio.Future[int]]] = defaultdict(list)

    def next(self, restaurant: str, day: date) -> "asyncio.Future[int]":
        """Return the next number of that day; it is known after `fetch_pending`."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._pending[restaurant, day].append(future)
        return future

    async def fetch_pending(self) -> None:
        """Take the numbers; other transactions wait for this one before they get theirs."""
        pending, self._pending = self._pending, defaultdict(list)
        if not pending:
            return
        try:
            last = await self._take({key: len(futures) for key, futures in pending.items()})
        except Exception as error:  # handed on to those who wait
            fail_all((future for futures in pending.values() for future in futures), error)
        else:
            for key, futures in pending.items():
                for number, future in enumerate(futures, start=last[key] - len(futures) + 1):
                    future.set_result(number)

    async def _take(self, counts: dict[tuple[str, date], int]) -> dict[tuple[str, date], int]:
        """Count the days up; returns the last number of each."""
        taken = await self._connection.execute(
            TAKE_NUMBERS,
            {
                "restaurants": [restaurant for restaurant, _ in counts],
                "days": [day for _, day in counts],
                "counts": list(counts.values()),
            },
        )
        return {(row.restaurant, row.day): row.orders for row in taken}
