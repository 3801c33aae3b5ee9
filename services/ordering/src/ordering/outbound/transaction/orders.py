"""Reading one order."""

from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.domain.order import Order
from ordering.outbound.database.tables import OrderRow, table
from ordering.outbound.transaction import rows
from ordering.outbound.transaction.reads import Reads

ORDERS = table(OrderRow)
SELECT_ORDER = select(ORDERS).where(ORDERS.c.id == bindparam("order_id"))


class PostgresOrders:
    """The orders in PostgreSQL."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reads = Reads(engine)

    async def one(self, order_id: UUID) -> Order | None:
        """The order; None if there is none. Raises StoreUnavailable."""

        async def question(connection: AsyncConnection) -> Order | None:
            found = await connection.execute(SELECT_ORDER, {"order_id": order_id})
            row = found.mappings().one_or_none()
            return None if row is None else rows.order_of(row)

        return await self._reads.answer(question)
