"""Reading menus, beside the transactions of commands: who reads waits for no group."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine

from ordering.application.transaction import StoreUnavailable
from ordering.domain.menu import MenuItem
from ordering.outbound.database.errors import failure_of, reason_of
from ordering.outbound.database.tables import MenuItemRow, RestaurantRow, table
from ordering.outbound.transaction import rows

MAX_READS = 2
"""Menus that are read at a time; the other connections are for what changes something."""
MAX_READ_S = 5.0
"""Seconds that a reader waits at most, for its turn and for the answer."""

RESTAURANTS, ITEMS = table(RestaurantRow), table(MenuItemRow)
_OFFERED = and_(ITEMS.c.restaurant == RESTAURANTS.c.restaurant, ITEMS.c.withdrawn.is_(False))
SELECT_MENU = (
    select(ITEMS)
    .select_from(RESTAURANTS.outerjoin(ITEMS, _OFFERED))
    .where(RESTAURANTS.c.restaurant == bindparam("restaurant"))
    .order_by(ITEMS.c.category, ITEMS.c.name)
)


class PostgresMenus:
    """The menus in PostgreSQL."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turns = asyncio.Semaphore(MAX_READS)

    async def whole(self, restaurant: str) -> Sequence[MenuItem] | None:
        """Every item that is not withdrawn; None without the restaurant. Raises StoreUnavailable.

        A read that a migration came in the way of is done again.
        """
        try:
            async with asyncio.timeout(MAX_READ_S), self._turns:
                try:
                    return await self._read(restaurant)
                except Exception as error:  # it is told whose it is
                    if not failure_of(error).is_retried:
                        raise
                    return await self._read(restaurant)
        except Exception as error:
            if failure_of(error).is_passing:
                raise StoreUnavailable(reason_of(error)) from error
            raise

    async def _read(self, restaurant: str) -> Sequence[MenuItem] | None:
        async with self._engine.connect() as pooled:
            connection = await pooled.execution_options(isolation_level="AUTOCOMMIT")
            found = await connection.execute(SELECT_MENU, {"restaurant": restaurant})
            items = found.mappings().all()
        if not items:
            return None
        return [rows.item_of(row) for row in items if row["sku"] is not None]
