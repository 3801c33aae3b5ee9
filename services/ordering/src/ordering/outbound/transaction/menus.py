"""Reading menus."""

from collections.abc import Sequence

from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.domain.menu import MenuItem
from ordering.outbound.database.tables import MenuItemRow, RestaurantRow, table
from ordering.outbound.transaction import rows
from ordering.outbound.transaction.reads import Reads

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
        self._reads = Reads(engine)

    async def whole(self, restaurant: str) -> Sequence[MenuItem] | None:
        """Every item that is not withdrawn; None without the restaurant.

        Raises StoreUnavailable.
        """

        async def question(connection: AsyncConnection) -> Sequence[MenuItem] | None:
            found = await connection.execute(SELECT_MENU, {"restaurant": restaurant})
            items = found.mappings().all()
            if not items:
                return None
            return [rows.item_of(row) for row in items if row["sku"] is not None]

        return await self._reads.answer(question)
