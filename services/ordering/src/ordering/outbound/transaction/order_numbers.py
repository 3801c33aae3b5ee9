"""The day's order numbers: counted per restaurant and business day, in the order's transaction."""

import asyncio
from collections import defaultdict
from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

TAKE = text("""
    INSERT INTO days AS current (restaurant, day, orders)
    SELECT * FROM unnest(
        CAST(:restaurants AS text[]), CAST(:days AS date[]), CAST(:counts AS int[])
    ) AS wanted (restaurant, day, count)
    ORDER BY restaurant, day
    ON CONFLICT (restaurant, day) DO UPDATE SET orders = current.orders + excluded.orders
    RETURNING restaurant, day, orders
""")


class Sequences:
    """Hands out numbers, as many as are asked for at a time, in one statement."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._asked: dict[tuple[str, date], list[asyncio.Future[int]]] = defaultdict(list)

    def ask(self, restaurant: str, day: date) -> "asyncio.Future[int]":
        """The next number of that day, once `answer` has run."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._asked[restaurant, day].append(future)
        return future

    async def answer(self) -> None:
        """Take the numbers; other transactions wait for this one before they get theirs."""
        asked, self._asked = self._asked, defaultdict(list)
        if not asked:
            return
        try:
            last = await self._take({key: len(futures) for key, futures in asked.items()})
        except Exception as error:  # handed on to those who asked
            for futures in asked.values():
                for future in futures:
                    future.set_exception(error)
                    future.exception()  # not everybody who asked may still want to know
        else:
            for key, futures in asked.items():
                for number, future in enumerate(futures, start=last[key] - len(futures) + 1):
                    future.set_result(number)

    async def _take(self, counts: dict[tuple[str, date], int]) -> dict[tuple[str, date], int]:
        taken = await self._connection.execute(
            TAKE,
            {
                "restaurants": [restaurant for restaurant, _ in counts],
                "days": [day for _, day in counts],
                "counts": list(counts.values()),
            },
        )
        return {(row.restaurant, row.day): row.orders for row in taken}
