"""How many subjects' tokens each restaurant has withdrawn: all that are asked for at once."""

from collections.abc import Awaitable, Mapping, Sequence

from sqlalchemy import Text, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.outbound.database.tables import WithdrawalRow, table
from ordering.outbound.transaction.batch_loader import BatchLoader

WITHDRAWALS = table(WithdrawalRow)
COUNT = (
    select(WITHDRAWALS.c.restaurant, func.count().label("subjects"))
    .where(WITHDRAWALS.c.restaurant == any_(bindparam("restaurants", type_=ARRAY(Text))))
    .group_by(WITHDRAWALS.c.restaurant)
)


class WithdrawnSubjects:
    """One transaction's view of it, as it was committed: a group may go beyond by its commands."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._counts = BatchLoader[str, int](self._fetch)

    def count(self, restaurant: str) -> Awaitable[int | None]:
        """How many they are, None of none; it is known after `fetch_pending`."""
        return self._counts.load(restaurant)

    async def fetch_pending(self) -> None:
        """Count what is not counted yet."""
        await self._counts.fetch_pending()

    async def _fetch(self, restaurants: Sequence[str]) -> Mapping[str, int]:
        found = await self._connection.execute(COUNT, {"restaurants": list(restaurants)})
        return {row.restaurant: row.subjects for row in found}
