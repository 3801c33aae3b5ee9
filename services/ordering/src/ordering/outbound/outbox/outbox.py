"""The outbox: events in the transaction that makes them true, spread over partitions."""

import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

import orjson
from comanda_contracts import Event, seal, subjects
from comanda_contracts.streams import ACCESS, MENU, ORDERS, RESTAURANTS
from nats.js.api import PubAck
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    LargeBinary,
    Select,
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

from ordering.outbound.database.tables import KIND, OutboxRow, ParkedEventRow, table

PARTITIONS = 16
"""Parts into which relaying can be spread over replicas; fixed, since rows carry their number."""

STREAMS = (ORDERS, MENU, RESTAURANTS, ACCESS)
"""The streams on which ordering publishes."""

KINDS = tuple(subjects.root(stream.subject) for stream in STREAMS)
"""The kinds of aggregates that there are events of: each tells which stream takes them."""

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
_KINDS = (
    func.unnest(bindparam("kinds", type_=ARRAY(String)))
    .table_valued("kind")
    .render_derived("kinds")
)
_PARKED_OF_AGGREGATE = (
    select(PARKED.c.id)
    .where(PARKED.c.aggregate == OUTBOX.c.aggregate)
    .limit(1)  # or PostgreSQL would read all that is parked first
    .scalar_subquery()
)
_BODY_BYTES = func.octet_length(OUTBOX.c.body)
_BYTES_BEFORE = func.sum(_BODY_BYTES).over(order_by=OUTBOX.c.id) - _BODY_BYTES
"""What the bodies have that come before in the same partition and of the same kind."""


def _select_oldest(*columns: ColumnElement[Any], limit: Any) -> Select[Any]:
    """Of each partition and kind the oldest unpublished events; a large body is not looked into."""
    oldest = (
        select(*columns, OUTBOX.c.id.label("number"), _BYTES_BEFORE.label("bytes_before"))
        .where(
            OUTBOX.c.partition == _PARTITIONS.c.partition,
            _KINDS.c.kind == KIND,
            OUTBOX.c.sequence.is_(None),
            OUTBOX.c.aggregate != all_(bindparam("without_aggregates", type_=ARRAY(String))),
        )
        .order_by(OUTBOX.c.id)
        .limit(limit)
        .lateral("oldest")
    )
    searched = _PARTITIONS.join(_KINDS, true()).join(oldest, true())
    return (
        select(*list(oldest.c)[: len(columns)])
        .select_from(searched)
        .where(oldest.c.bytes_before < bindparam("bytes_max", type_=BigInteger))
        .order_by(oldest.c.number)
    )


SELECT_UNPUBLISHED = _select_oldest(
    *(OUTBOX.c[name] for name in ("id", "aggregate", "subject", "headers", "body")),
    _PARKED_OF_AGGREGATE.is_not(None).label("is_behind_parked"),
    limit=bindparam("limit"),
)
SELECT_OLDEST_HEADERS = _select_oldest(OUTBOX.c.headers, limit=1)
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
COUNTED_MAX = 2000
"""Unpublished events that are counted; more are as bad."""
_COUNTED = (
    select(OUTBOX.c.id)
    .where(OUTBOX.c.sequence.is_(None))  # by which PostgreSQL knows that an index will do
    .limit(COUNTED_MAX)
    .subquery()
)
COUNT_UNPUBLISHED = select(func.count()).select_from(_COUNTED)
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
    kinds: Collection[str],
    *,
    limit: int,
    bytes_max: int,
    without_aggregates: Collection[str] = (),
) -> Sequence[Any]:
    """The unpublished events of these partitions and kinds (`menu`, for example) by age.

    Of each partition and kind the oldest: at most `limit`, and no more once their bodies have
    `bytes_max`. Some aggregates may be left out. `is_behind_parked` tells of those of whose
    aggregate an event is parked. Each is searched by itself, so it takes as long however many
    events there are, of these kinds or others.
    """
    parameters = {
        "partitions": sorted(partitions),
        "kinds": sorted(kinds),
        "limit": limit,
        "bytes_max": bytes_max,
        "without_aggregates": sorted(without_aggregates),
    }
    rows: Sequence[Any] = (await connection.execute(SELECT_UNPUBLISHED, parameters)).all()
    return rows


async def oldest_headers(
    connection: AsyncConnection, kinds: Collection[str] = KINDS
) -> Sequence[dict[str, str]]:
    """The headers of the oldest unpublished event of each partition and kind."""
    parameters = {
        "partitions": list(range(PARTITIONS)),
        "kinds": sorted(kinds),
        "bytes_max": 1,
        "without_aggregates": [],
    }
    rows: Sequence[Any] = (await connection.execute(SELECT_OLDEST_HEADERS, parameters)).all()
    return [row.headers for row in rows]


async def count_unpublished(connection: AsyncConnection) -> int:
    """How many events are unpublished, `COUNTED_MAX` at most."""
    return int((await connection.execute(COUNT_UNPUBLISHED)).scalar_one())


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
        "partition": partition_of(aggregate),
        "aggregate": aggregate,
        "subject": message.subject,
        "headers": dict(message.headers),
        "body": message.body,
    }


def partition_of(aggregate: str) -> int:
    """The partition of all events of an aggregate, for good."""
    return zlib.crc32(aggregate.encode()) % PARTITIONS
