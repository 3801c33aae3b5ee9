"""Events that were published: kept for a while, in case their stream loses them."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    DateTime,
    SmallInteger,
    any_,
    bindparam,
    column,
    delete,
    func,
    literal,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.outbound.outbox.outbox import OUTBOX

RETENTION = timedelta(minutes=5)
"""The time for which an event stays after its stream has acknowledged it.

A broker that loses power may lose what it acknowledged and had not synced to disk; what it lost is
then published again from here.
"""

DELETED_EVENTS_MAX = 1000
"""Events that are deleted by one statement."""


class Position(NamedTuple):
    """The place of an event among the kept ones of its stream, by the time of its publication."""

    published_at: datetime
    id: int


AFTER_ALL = Position(datetime(9999, 1, 1, tzinfo=UTC), 0)

_PARTITIONS = any_(bindparam("partitions", type_=ARRAY(SmallInteger)))
SELECT_KEPT = (
    select(
        OUTBOX.c.id,
        OUTBOX.c.subject,
        OUTBOX.c.sequence,
        OUTBOX.c.published_at,
        OUTBOX.c.headers["Nats-Msg-Id"].astext.label("message_id"),
    )
    .where(
        OUTBOX.c.stream == bindparam("of"),
        OUTBOX.c.partition == _PARTITIONS,
        OUTBOX.c.published_at.is_not(None),  # by which PostgreSQL knows that the index will do
        tuple_(OUTBOX.c.published_at, OUTBOX.c.id)
        < tuple_(
            bindparam("published_at", type_=DateTime(timezone=True)),
            bindparam("id", type_=BigInteger),
        ),
    )
    .order_by(OUTBOX.c.published_at.desc(), OUTBOX.c.id.desc())
    .limit(bindparam("limit"))
)
_LOST = (
    func.unnest(
        bindparam("ids", type_=ARRAY(BigInteger)),
        bindparam("published_at", type_=ARRAY(DateTime(timezone=True))),
    )
    .table_valued(column("id", BigInteger), column("published_at", DateTime(timezone=True)))
    .render_derived("lost")
)
UNMARK_LOST = (
    update(OUTBOX)
    .where(OUTBOX.c.id == _LOST.c.id, OUTBOX.c.published_at == _LOST.c.published_at)
    .values(stream=null(), sequence=null(), published_at=null())
)
_EXPIRED = (
    select(OUTBOX.c.id)
    .where(
        OUTBOX.c.stream == bindparam("of"),
        OUTBOX.c.partition == _PARTITIONS,
        OUTBOX.c.published_at < func.now() - literal(RETENTION),
    )
    .order_by(OUTBOX.c.published_at)
    .limit(DELETED_EVENTS_MAX)
    .scalar_subquery()
)
DELETE_EXPIRED = delete(OUTBOX).where(OUTBOX.c.id == any_(func.array(_EXPIRED)))


# decision/0040: what a stream has is known by ids, not by a number
async def select_kept(
    connection: AsyncConnection,
    stream: str,
    partitions: Collection[int],
    before: Position,
    limit: int,
) -> Sequence[Any]:
    """The events of these partitions that the stream acknowledged before, the newest first."""
    parameters = {"of": stream, "partitions": sorted(partitions), "limit": limit}
    return (await connection.execute(SELECT_KEPT, parameters | before._asdict())).all()


async def unmark_lost(connection: AsyncConnection, lost: Collection[Position]) -> int:
    """Have these events published again; returns how many it were.

    One that another relay has published again meanwhile has another place, and is not lost.
    """
    parameters = {
        "ids": [each.id for each in lost],
        "published_at": [each.published_at for each in lost],
    }
    return (await connection.execute(UNMARK_LOST, parameters)).rowcount


async def delete_expired(
    connection: AsyncConnection, stream: str, partitions: Collection[int]
) -> int:
    """Delete the oldest events of these partitions that were kept for long enough.

    Returns how many it were: with `DELETED_EVENTS_MAX` there may be more.
    """
    parameters = {"of": stream, "partitions": sorted(partitions)}
    return (await connection.execute(DELETE_EXPIRED, parameters)).rowcount
