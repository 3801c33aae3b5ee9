"""The outbox: events in the transaction that makes them true, spread over partitions."""

import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from comanda_contracts import Event, seal, subjects
from nats.js.api import PubAck
from sqlalchemy import (
    BigInteger,
    LargeBinary,
    SmallInteger,
    String,
    bindparam,
    cast,
    func,
    insert,
    null,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.outbound.database.tables import OutboxRow, table

PARTITIONS = 16
"""How far relaying can be spread over replicas; fixed, since committed rows carry their number."""

CHANNEL = "outbox"
"""What PostgreSQL notifies when a transaction with events commits."""

KEPT_FOR = 300
"""Seconds that an event stays after its stream has acknowledged it.

A broker that loses power may lose what it acknowledged and had not synced to disk; what it lost is
then published again from here.
"""

OUTBOX = table(OutboxRow)
COLUMNS = ("partition", "aggregate", "subject", "headers", "body")

_HELD = (
    func.unnest(bindparam("held", type_=ARRAY(SmallInteger)))
    .table_valued("partition")
    .render_derived("held")
)
_OLDEST = (
    select(OUTBOX.c.id, OUTBOX.c.aggregate, OUTBOX.c.subject, OUTBOX.c.headers, OUTBOX.c.body)
    .where(OUTBOX.c.partition == _HELD.c.partition, OUTBOX.c.sequence.is_(None))
    .order_by(OUTBOX.c.id)
    .limit(bindparam("most"))
    .lateral("oldest")
)
WAITING = select(_OLDEST).select_from(_HELD.join(_OLDEST, true())).order_by(_OLDEST.c.id)
_STORED = (
    func.unnest(
        bindparam("ids", type_=ARRAY(BigInteger)),
        bindparam("streams", type_=ARRAY(String)),
        bindparam("sequences", type_=ARRAY(BigInteger)),
    )
    .table_valued("id", "stream", "sequence")
    .render_derived("stored")
)
PUBLISHED = (
    update(OUTBOX)
    .where(OUTBOX.c.id == _STORED.c.id)
    .values(stream=_STORED.c.stream, sequence=_STORED.c.sequence, published_at=func.now())
)
LOST = (
    update(OUTBOX)
    .where(OUTBOX.c.stream == bindparam("of"), OUTBOX.c.sequence > bindparam("last"))
    .values(stream=null(), sequence=null(), published_at=null())
)
FORGET = text("""
    DELETE FROM outbox WHERE published_at < now() - make_interval(secs => :kept_for)
""").bindparams(kept_for=KEPT_FOR)


_ADDED = (
    func.unnest(
        bindparam("partitions", type_=ARRAY(SmallInteger)),
        bindparam("aggregates", type_=ARRAY(String)),
        bindparam("subjects", type_=ARRAY(String)),
        bindparam("headers", type_=ARRAY(String)),
        bindparam("bodies", type_=ARRAY(LargeBinary)),
    )
    .table_valued(*COLUMNS, with_ordinality="turn")
    .render_derived("added")
)
ADD = (
    insert(OUTBOX)
    .from_select(
        COLUMNS,
        select(
            *(_ADDED.c[name] for name in ("partition", "aggregate", "subject")),
            cast(_ADDED.c.headers, JSONB),
            _ADDED.c.body,
        ).order_by(_ADDED.c.turn),
    )
    .returning(OUTBOX.c.id)
)
NOTIFY = text(f"NOTIFY {CHANNEL}")


class Waiting(NamedTuple):
    """An event that is committed and to be published."""

    id: int
    aggregate: str
    subject: str
    headers: dict[str, str]
    body: bytes


async def add(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> list[Waiting]:
    """Put rows of `outbox_row` into the outbox; returns them with their ids, in their order."""
    parameters = {
        "partitions": [row["partition"] for row in rows],
        "aggregates": [row["aggregate"] for row in rows],
        "subjects": [row["subject"] for row in rows],
        "headers": [orjson.dumps(row["headers"]).decode() for row in rows],
        "bodies": [row["body"] for row in rows],
    }
    ids = sorted((await connection.execute(ADD, parameters)).scalars())
    return [
        Waiting(id_, row["aggregate"], row["subject"], row["headers"], row["body"])
        for id_, row in zip(ids, rows, strict=True)
    ]


async def waiting(connection: AsyncConnection, held: Collection[int], most: int) -> Sequence[Any]:
    """The events of these partitions that are to be published: of each the oldest, by age.

    Each partition is looked at by itself, so it takes as long however many events wait.
    """
    return (await connection.execute(WAITING, {"held": sorted(held), "most": most})).all()


async def mark_published(connection: AsyncConnection, stored: Mapping[int, PubAck]) -> None:
    """Note where the events with these ids are stored."""
    parameters = {
        "ids": list(stored),
        "streams": [acknowledgement.stream for acknowledgement in stored.values()],
        "sequences": [acknowledgement.seq for acknowledgement in stored.values()],
    }
    await connection.execute(PUBLISHED, parameters)


async def publish_again_after(connection: AsyncConnection, stream: str, last: int) -> int:
    """Have what the stream acknowledged beyond its last sequence published again.

    Returns how many events that are.
    """
    return (await connection.execute(LOST, {"of": stream, "last": last})).rowcount


def outbox_row(event: Event, *, event_id: UUID, trace: dict[str, str]) -> dict[str, Any]:
    """The row that publishes this event. Events of one aggregate share a partition."""
    message = seal(event, event_id=event_id, trace=trace)
    aggregate = subjects.aggregate(message.subject)
    return {
        "partition": zlib.crc32(aggregate.encode()) % PARTITIONS,
        "aggregate": aggregate,
        "subject": message.subject,
        "headers": dict(message.headers),
        "body": message.body,
    }
