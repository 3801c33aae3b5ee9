"""The outbox: events in the transaction that makes them true, spread over partitions."""

import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

import orjson
from comanda_contracts import Event, seal, subjects
from nats.js.api import PubAck
from sqlalchemy import (
    BigInteger,
    LargeBinary,
    SmallInteger,
    String,
    all_,
    bindparam,
    cast,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.outbound.database.tables import OutboxRow, ParkedEventRow, table

PARTITIONS = 16
"""Parts into which relaying can be spread over replicas; fixed, since rows carry their number."""

CHANNEL = "outbox"
"""The channel on which PostgreSQL notifies of a transaction with events that commits."""

OUTBOX = table(OutboxRow)
PARKED = table(ParkedEventRow)
COLUMNS = ("partition", "aggregate", "subject", "headers", "body")

_PARTITIONS = (
    func.unnest(bindparam("partitions", type_=ARRAY(SmallInteger)))
    .table_valued("partition")
    .render_derived("partitions")
)
_PARKED_OF_AGGREGATE = (
    select(PARKED.c.id)
    .where(PARKED.c.aggregate == OUTBOX.c.aggregate)
    .limit(1)  # or PostgreSQL would read all that is parked first
    .scalar_subquery()
)
_OLDEST = (
    select(
        *(OUTBOX.c[name] for name in ("id", "aggregate", "subject", "headers", "body")),
        _PARKED_OF_AGGREGATE.is_not(None).label("is_behind_parked"),
    )
    .where(
        OUTBOX.c.partition == _PARTITIONS.c.partition,
        OUTBOX.c.sequence.is_(None),
        func.split_part(OUTBOX.c.aggregate, ".", 1)
        != all_(bindparam("without_kinds", type_=ARRAY(String))),
        OUTBOX.c.aggregate != all_(bindparam("without_aggregates", type_=ARRAY(String))),
    )
    .order_by(OUTBOX.c.id)
    .limit(bindparam("limit"))
    .lateral("oldest")
)
SELECT_UNPUBLISHED = (
    select(_OLDEST).select_from(_PARTITIONS.join(_OLDEST, true())).order_by(_OLDEST.c.id)
)
_STORED = (
    func.unnest(
        bindparam("ids", type_=ARRAY(BigInteger)),
        bindparam("streams", type_=ARRAY(String)),
        bindparam("sequences", type_=ARRAY(BigInteger)),
    )
    .table_valued("id", "stream", "sequence")
    .render_derived("stored")
)
MARK_PUBLISHED = (
    update(OUTBOX)
    .where(OUTBOX.c.id == _STORED.c.id)
    .values(stream=_STORED.c.stream, sequence=_STORED.c.sequence, published_at=func.now())
)
_ADDED = (
    func.unnest(
        bindparam("partitions", type_=ARRAY(SmallInteger)),
        bindparam("aggregates", type_=ARRAY(String)),
        bindparam("subjects", type_=ARRAY(String)),
        bindparam("headers", type_=ARRAY(String)),
        bindparam("bodies", type_=ARRAY(LargeBinary)),
    )
    .table_valued(*COLUMNS, with_ordinality="position")
    .render_derived("added")
)
INSERT_EVENTS = (
    insert(OUTBOX)
    .from_select(
        COLUMNS,
        select(
            *(_ADDED.c[name] for name in ("partition", "aggregate", "subject")),
            cast(_ADDED.c.headers, JSONB),
            _ADDED.c.body,
        ).order_by(_ADDED.c.position),
    )
    .returning(OUTBOX.c.id)
)
NOTIFY = select(func.pg_notify(CHANNEL, ""))


class NewRow(TypedDict):
    """A row of the outbox before it has an id."""

    partition: int
    aggregate: str
    subject: str
    headers: dict[str, str]
    body: bytes


class CommittedEvent(NamedTuple):
    """An event in the outbox that is to be published."""

    id: int
    aggregate: str
    subject: str
    headers: dict[str, str]
    body: bytes


# decision/0002: state and event are committed in one transaction
async def insert_events(
    connection: AsyncConnection, rows: Sequence[NewRow]
) -> list[CommittedEvent]:
    """Put the rows into the outbox; returns them with their ids, in their order."""
    parameters = {
        "partitions": [row["partition"] for row in rows],
        "aggregates": [row["aggregate"] for row in rows],
        "subjects": [row["subject"] for row in rows],
        "headers": [orjson.dumps(row["headers"]).decode() for row in rows],
        "bodies": [row["body"] for row in rows],
    }
    ids = sorted((await connection.execute(INSERT_EVENTS, parameters)).scalars())
    return [
        CommittedEvent(id_, row["aggregate"], row["subject"], row["headers"], row["body"])
        for id_, row in zip(ids, rows, strict=True)
    ]


async def select_unpublished(
    connection: AsyncConnection,
    partitions: Collection[int],
    limit: int,
    *,
    without_kinds: Collection[str] = (),
    without_aggregates: Collection[str] = (),
) -> Sequence[Any]:
    """The unpublished events of these partitions by age, at most `limit` of each: the oldest.

    Some kinds (`menu`, for example) and aggregates may be left out. `is_behind_parked` tells of
    those of whose aggregate an event is parked. The partitions are searched one by one, so it takes
    as long however many events there are.
    """
    parameters = {
        "partitions": sorted(partitions),
        "limit": limit,
        "without_kinds": sorted(without_kinds),
        "without_aggregates": sorted(without_aggregates),
    }
    return (await connection.execute(SELECT_UNPUBLISHED, parameters)).all()


async def mark_published(connection: AsyncConnection, stored: Mapping[int, PubAck]) -> None:
    """Note where the events with these ids are stored."""
    parameters = {
        "ids": list(stored),
        "streams": [acknowledgement.stream for acknowledgement in stored.values()],
        "sequences": [acknowledgement.seq for acknowledgement in stored.values()],
    }
    await connection.execute(MARK_PUBLISHED, parameters)


def outbox_row(event: Event, *, event_id: UUID, trace: dict[str, str]) -> NewRow:
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
