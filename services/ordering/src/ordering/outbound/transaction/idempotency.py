"""Answers to requests that have a key: kept in the transaction of their effect, for a day."""

import asyncio
import math
from collections.abc import Sequence
from datetime import timedelta

from prometheus_client import Counter, Gauge
from service_kit.runtime.components import Ready
from sqlalchemy import (
    Row,
    and_,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.application.keyed_request import Answer, AnsweredRequest, KeyedRequest
from ordering.outbound.database.tables import AnswerRow, table

SWEEP_INTERVAL_S = 600.0
"""Seconds between two removals of expired answers."""

ANSWER_LIFETIME = timedelta(hours=24)
"""The time for which a request that is sent again is recognised."""

DELETED_ANSWERS_MAX = 1000
"""Answers that are deleted by one statement, and in one transaction."""

REQUESTS = Counter(
    "comanda_ordering_keyed_requests_total",
    "Requests with a key, by whether their answer was kept anew or was there before",
    ["answer"],
)
KEPT = Gauge(
    "comanda_ordering_kept_answers",
    "Answers that are kept, by PostgreSQL's own estimate; read every ten minutes",
)
OLDEST_KEPT = Gauge(
    "comanda_ordering_oldest_answer_timestamp_seconds",
    "When the oldest answer was kept, in seconds since the epoch, NaN if none is; read every "
    "ten minutes",
)

ANSWERS = table(AnswerRow)

_LOCKED_NAMES = func.unnest(bindparam("names", type_=ARRAY(TEXT))).column_valued("name")
_LOCKS = (
    select(func.hashtextextended(_LOCKED_NAMES, 0).label("lock"))
    .distinct()
    .order_by("lock")
    .subquery("locks")
)
LOCK = select(func.pg_advisory_xact_lock(_LOCKS.c.lock))
_WANTED = (
    func.unnest(bindparam("restaurants", type_=ARRAY(TEXT)), bindparam("keys", type_=ARRAY(TEXT)))
    .table_valued("restaurant", "key")
    .render_derived("wanted")
)
FIND = select(ANSWERS).join(
    _WANTED,
    and_(ANSWERS.c.restaurant == _WANTED.c.restaurant, ANSWERS.c.key == _WANTED.c.key),
)
KEEP = insert(ANSWERS)
_EXPIRED = (
    select(literal_column("ctid"))
    .select_from(ANSWERS)
    .where(ANSWERS.c.at < func.now() - ANSWER_LIFETIME)
    .order_by(ANSWERS.c.at)
    .limit(DELETED_ANSWERS_MAX)
    .scalar_subquery()
)
SELECT_KEPT = text(
    "SELECT (SELECT reltuples FROM pg_class WHERE oid = 'answers'::regclass),"
    " (SELECT extract(epoch FROM min(at)) FROM answers)"  # which the index has
)
DELETE_EXPIRED = delete(ANSWERS).where(literal_column("ctid") == any_(func.array(_EXPIRED)))

Name = tuple[str, str]
"""The restaurant and the key: they name a request."""


def name_of(request: KeyedRequest) -> Name:
    """The name under which the request's answer is kept."""
    return request.restaurant, request.key


class KeptAnswers:
    """The answers that one transaction finds and keeps."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._new: list[AnsweredRequest] = []

    async def find(self, requests: Sequence[KeyedRequest]) -> dict[Name, AnsweredRequest]:
        """Those that are answered; the others no transaction but this one can answer now."""
        if not requests:
            return {}
        names = [name_of(request) for request in requests]
        await self._connection.execute(LOCK, {"names": ["/".join(name) for name in names]})
        restaurants, keys = zip(*names, strict=True)
        wanted = {"restaurants": list(restaurants), "keys": list(keys)}
        found = await self._connection.execute(FIND, wanted)
        answered = {(row.restaurant, row.key): _answered_request(row) for row in found}
        if answered:
            REQUESTS.labels("kept").inc(len(answered))
        return answered

    def keep(self, request: KeyedRequest, answer: Answer) -> None:
        """Have the answer written by `save`."""
        self._new.append(AnsweredRequest(request, answer))

    async def save(self) -> None:
        """Write the new answers."""
        if self._new:
            await self._connection.execute(KEEP, [_row(each) for each in self._new])
            REQUESTS.labels("new").inc(len(self._new))


async def delete_expired_answers(engine: AsyncEngine, ready: Ready) -> None:
    """Remove old answers from time to time; safe to run from many replicas."""
    while True:
        deleted = DELETED_ANSWERS_MAX
        while deleted == DELETED_ANSWERS_MAX:
            async with engine.begin() as connection:
                deleted = await delete_some_expired(connection)
        async with engine.connect() as connection:
            await measure_kept(connection)
        ready()
        await asyncio.sleep(SWEEP_INTERVAL_S)


async def measure_kept(connection: AsyncConnection) -> None:
    """Export how many answers are kept, and since when, without counting them."""
    estimate, oldest_s = (await connection.execute(SELECT_KEPT)).one()
    KEPT.set(max(0.0, estimate))
    OLDEST_KEPT.set(math.nan if oldest_s is None else float(oldest_s))


async def delete_some_expired(connection: AsyncConnection) -> int:
    """Delete the oldest of the expired answers, `DELETED_ANSWERS_MAX` at most; how many it were."""
    return (await connection.execute(DELETE_EXPIRED)).rowcount


def _row(answered: AnsweredRequest) -> dict[str, object]:
    request, answer = answered.request, answered.answer
    return {
        "restaurant": request.restaurant,
        "key": request.key,
        "fingerprint": request.fingerprint,
        "status": answer.status,
        "version": answer.version,
        "location": answer.location,
        "body": answer.body,
    }


def _answered_request(row: Row[tuple[object, ...]]) -> AnsweredRequest:
    return AnsweredRequest(
        KeyedRequest(row.restaurant, row.key, row.fingerprint),
        Answer(status=row.status, version=row.version, location=row.location, body=row.body),
    )
