"""Events that can't be published: parked apart from the outbox, each with those behind it."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    String,
    any_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import Insert

from ordering.outbound.outbox.outbox import COLUMNS, NOTIFY, OUTBOX, PARKED

REASON_CHARACTERS_MAX = 500
BEHIND = "behind an event of the same aggregate that is parked"
"""The reason why an event is parked that nothing is wrong with."""
COUNTED_MAX = 10_000
"""Parked events that are counted; more are as bad."""

_IDS = OUTBOX.c.id == any_(bindparam("ids", type_=ARRAY(BigInteger)))
_IS_BEHIND = exists().where(PARKED.c.aggregate == OUTBOX.c.aggregate)


def _move(*which: Any) -> Insert:
    moved = delete(OUTBOX).where(_IDS, OUTBOX.c.sequence.is_(None), *which)
    gone = moved.returning(OUTBOX.c.id, *(OUTBOX.c[name] for name in COLUMNS)).cte("gone")
    values = select(*gone.c, bindparam("reason", type_=String))
    return insert(PARKED).from_select(("id", *COLUMNS, "reason"), values)


PARK = _move()
PARK_BEHIND = _move(_IS_BEHIND)
LOCK = text("LOCK TABLE parked_events IN EXCLUSIVE MODE")
RELEASE = text("""
    WITH released AS (DELETE FROM parked_events WHERE aggregate = ANY(:aggregates) RETURNING *)
    INSERT INTO outbox (id, partition, aggregate, subject, headers, body) OVERRIDING SYSTEM VALUE
    SELECT id, partition, aggregate, subject, headers, body FROM released
    RETURNING id
""").bindparams(bindparam("aggregates", type_=ARRAY(String)))
_COUNTED = select(PARKED.c.id).limit(COUNTED_MAX).subquery()
COUNT = select(func.count()).select_from(_COUNTED)
SELECT_PARKED = (
    select(*(PARKED.c[name] for name in ("id", "aggregate", "subject", "reason", "parked_at")))
    .where(
        PARKED.c.id > bindparam("after", type_=BigInteger),
        func.starts_with(PARKED.c.reason, bindparam("reason")),
    )
    .order_by(PARKED.c.id)
    .limit(1000)
)
SELECT_WHOLE = select(PARKED).where(PARKED.c.id == bindparam("number", type_=BigInteger))


# decision/0041: an event that can't be published is parked with its order
async def park(connection: AsyncConnection, event_id: int, reason: str) -> None:
    """Take the event out of the outbox: it will not be published for as long as it is as it is."""
    parameters = {"ids": [event_id], "reason": reason[:REASON_CHARACTERS_MAX]}
    await connection.execute(PARK, parameters)


async def park_behind(connection: AsyncConnection, ids: Collection[int]) -> None:
    """Take those events out of the outbox of whose aggregate one is parked."""
    await connection.execute(PARK_BEHIND, {"ids": sorted(ids), "reason": BEHIND})


async def count_parked(connection: AsyncConnection) -> int:
    """The number of parked events, `COUNTED_MAX` at most."""
    return (await connection.execute(COUNT)).scalar_one()


async def select_parked(
    connection: AsyncConnection, *, after: int = 0, reason: str = ""
) -> Sequence[Any]:
    """A page of the parked events beyond an id whose reason begins so, by their ids.

    Without their headers and bodies, which may be large.
    """
    return (await connection.execute(SELECT_PARKED, {"after": after, "reason": reason})).all()


async def parked_event(connection: AsyncConnection, number: int) -> Any | None:
    """The whole event that is parked with this id; None if none is."""
    return (await connection.execute(SELECT_WHOLE, {"number": number})).one_or_none()


async def release(connection: AsyncConnection, aggregates: Collection[str]) -> list[int]:
    """Put the parked events of these aggregates back, in their places; returns their ids.

    No event is parked meanwhile, so that none stays that is behind one that goes.
    """
    await connection.execute(LOCK)
    released = await connection.execute(RELEASE, {"aggregates": sorted(aggregates)})
    ids = sorted(released.scalars())
    await connection.execute(NOTIFY)
    return ids
