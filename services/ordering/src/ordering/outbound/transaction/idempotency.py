"""Answers to requests that have a key: kept in the transaction of their effect, for a day."""

import asyncio
from collections.abc import Sequence

from service_kit.runtime.components import Ready
from sqlalchemy import Row, bindparam, insert, select, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.application.once import Answer, Answered, Request
from ordering.outbound.database.tables import AnswerRow, table

SWEEP_EVERY = 600.0
"""Seconds between two removals of what has expired."""

ANSWERS = table(AnswerRow)

LOCK = text("""
    SELECT pg_advisory_xact_lock(lock) FROM (
        SELECT DISTINCT hashtextextended(name, 0) AS lock
        FROM unnest(CAST(:names AS text[])) AS name ORDER BY lock
    ) AS locks
""")
FIND = select(ANSWERS).where(
    ANSWERS.c.restaurant + "/" + ANSWERS.c.key == bindparam("names", type_=ARRAY(TEXT)).any_()
)
KEEP = insert(ANSWERS)
EXPIRE = text("DELETE FROM answers WHERE at < now() - interval '24 hours'")

Name = tuple[str, str]
"""The restaurant and the key: what names a request."""


def name_of(request: Request) -> Name:
    """What the request is kept under."""
    return request.restaurant, request.key


class Answers:
    """What one transaction knows of requests and their answers."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._new: list[Answered] = []

    async def find(self, requests: Sequence[Request]) -> dict[Name, Answered]:
        """Those that are answered; the others no transaction but this one can answer now."""
        if not requests:
            return {}
        names = {"names": ["/".join(name_of(request)) for request in requests]}
        await self._connection.execute(LOCK, names)
        found = await self._connection.execute(FIND, names)
        return {(row.restaurant, row.key): _answered(row) for row in found}

    def keep(self, request: Request, answer: Answer) -> None:
        """Have the answer written by `save`."""
        self._new.append(Answered(request, answer))

    async def save(self) -> None:
        """Write what was kept."""
        if self._new:
            await self._connection.execute(KEEP, [_row(each) for each in self._new])


async def forget_expired(engine: AsyncEngine, ready: Ready) -> None:
    """Remove old answers from time to time; safe to run from many replicas."""
    while True:
        async with engine.begin() as connection:
            await connection.execute(EXPIRE)
        ready()
        await asyncio.sleep(SWEEP_EVERY)


def _row(answered: Answered) -> dict[str, object]:
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


def _answered(row: Row[tuple[object, ...]]) -> Answered:
    return Answered(
        Request(row.restaurant, row.key, row.fingerprint),
        Answer(status=row.status, version=row.version, location=row.location, body=row.body),
    )
