"""The ledger of forgotten guests' orders, and what else of such an order is in PostgreSQL."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Text, Uuid, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.domain.order import Order
from ordering.outbound.database.tables import ForgottenOrderRow, table

PAGE_ROWS = 1_000
"""Entries that are read at a time."""

LEDGER = table(ForgottenOrderRow)

_NEW = insert(LEDGER)
NOTE = _NEW.on_conflict_do_update(
    index_elements=[LEDGER.c.order_id],
    set_={
        "version": func.greatest(LEDGER.c.version, _NEW.excluded.version),
        "forgotten_at": _NEW.excluded.forgotten_at,
        "erased_at": None,
    },
)
DELETE_PARKED = text("DELETE FROM parked_events WHERE aggregate = ANY(:aggregates)").bindparams(
    bindparam("aggregates", type_=ARRAY(Text))
)
DELETE_OLDER = text("""
    DELETE FROM outbox WHERE aggregate = :aggregate AND CAST(
        CAST(convert_from(body, 'UTF8') AS json) #>> '{order,version}' AS bigint
    ) < :version
""")
REPLACE_ANSWERS = text("""
    UPDATE answers SET body = :body, version = :version
    WHERE restaurant = :restaurant AND strpos(body, :order_id) > 0
""")
MARK_ERASED = (
    update(LEDGER)
    .where(
        LEDGER.c.order_id == bindparam("of", type_=Uuid),
        LEDGER.c.version <= bindparam("until", type_=Integer),
    )
    .values(erased_at=func.now())
)
SELECT_ENTRIES = (
    select(LEDGER)
    .where(LEDGER.c.order_id > bindparam("after", type_=Uuid))
    .order_by(LEDGER.c.order_id)
    .limit(PAGE_ROWS)
)


# decision/0077: a guest is forgotten
async def note_forgotten(
    connection: AsyncConnection, orders: Sequence[Order], aggregates: Sequence[str]
) -> None:
    """Enter the orders into the ledger, as to be erased, in the transaction that forgets them.

    What is parked of these `aggregates` goes: it could never be published, and would hold back the
    event that the guest is forgotten.
    """
    entries = [
        {
            "order_id": each.order_id,
            "restaurant": each.restaurant,
            "version": each.version,
            "forgotten_at": each.forgotten_at,
        }
        for each in orders
    ]
    await connection.execute(NOTE, entries)
    await connection.execute(DELETE_PARKED, {"aggregates": list(aggregates)})


async def erase_rows(
    connection: AsyncConnection,
    *,
    restaurant: str,
    order_id: UUID,
    body: str,
    version: int,
    aggregate: str,
) -> None:
    """Erase what the outbox has of an order from before this version, and what was answered.

    All of that is published, since that version is. A relay may not have marked it so yet; left
    here, it would be taken for lost once it is erased, and be published again. An answer stays,
    since whoever repeats his request is to have no second effect: he is answered with the order as
    it is now.
    """
    older = {"aggregate": aggregate, "version": version}
    await connection.execute(DELETE_OLDER, older)
    answers = {"restaurant": restaurant, "order_id": str(order_id)}
    await connection.execute(REPLACE_ANSWERS, answers | {"body": body, "version": version})


async def mark_erased(connection: AsyncConnection, order_id: UUID, version: int) -> None:
    """Note that what was said of the order before this version is erased."""
    await connection.execute(MARK_ERASED, {"of": order_id, "until": version})


async def ledger_entries(connection: AsyncConnection, after: UUID) -> Sequence[Any]:
    """The entries of the ledger behind this order, a page of them."""
    return (await connection.execute(SELECT_ENTRIES, {"after": after})).all()
