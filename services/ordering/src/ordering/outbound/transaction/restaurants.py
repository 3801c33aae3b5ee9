"""Reading one restaurant."""

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.domain.restaurant import Restaurant
from ordering.outbound.database.tables import RestaurantRow, table
from ordering.outbound.transaction import rows
from ordering.outbound.transaction.reads import Reads

RESTAURANTS = table(RestaurantRow)
SELECT_RESTAURANT = select(RESTAURANTS).where(RESTAURANTS.c.restaurant == bindparam("slug"))


class PostgresRestaurants:
    """The restaurants in PostgreSQL."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reads = Reads(engine)

    async def one(self, slug: str) -> Restaurant | None:
        """The restaurant; None if there is none. Raises StoreUnavailable."""

        async def question(connection: AsyncConnection) -> Restaurant | None:
            found = await connection.execute(SELECT_RESTAURANT, {"slug": slug})
            row = found.mappings().one_or_none()
            return None if row is None else rows.restaurant_of(row)

        return await self._reads.answer(question)
