"""Withdrawals that the stream ACCESS has not any more: published again from ordering's table."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from comanda_contracts import AccessWithdrawn as PublishedWithdrawal
from comanda_contracts import subjects
from comanda_contracts.streams import ACCESS
from nats.aio.client import Client
from pydantic import ValidationError
from service_kit.runtime.settings import TOKEN_LIFE_MAX_S
from sqlalchemy import BigInteger, LargeBinary, SmallInteger, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from ordering.contract import event_to_contract
from ordering.domain.access import AccessWithdrawn, Withdrawal
from ordering.outbound.outbox.outbox import NewRow, outbox_row, partition_of
from ordering.outbound.relay.stored_messages import StoredMessage, newest_messages

COMPARED_WITHDRAWALS = 100
"""Withdrawals that are read and compared at a time."""

BEFORE_ALL = ("", "")
EVENT = PublishedWithdrawal.TYPE.split(".")[-2]
"""The last part of the subject of all of them."""

SELECT_PAGE = text("""
    SELECT restaurant, subject_hash, withdrawn_at, version FROM withdrawals
    WHERE (restaurant, subject_hash) > (:restaurant, :subject_hash)
        AND withdrawn_at > now() - make_interval(secs => :token_life_max_s)
    ORDER BY restaurant, subject_hash LIMIT :limit
""")
# One whose row is locked is being withdrawn again just now, and one whose version is another has
# been: an older event must not come after the one of that.
PUBLISH_AGAIN = text("""
    WITH lost AS (
        SELECT * FROM unnest(:restaurants, :subject_hashes, :versions,
            :partitions, :aggregates, :subjects, :headers, :bodies)
        AS lost (restaurant, subject_hash, version, partition, aggregate, subject, headers, body)
        WHERE NOT EXISTS (
            SELECT FROM outbox WHERE sequence IS NULL
                AND outbox.partition = lost.partition AND outbox.aggregate = lost.aggregate
        ) AND NOT EXISTS (
            SELECT FROM parked_events WHERE parked_events.aggregate = lost.aggregate
        )
    ), locked AS (
        SELECT lost.aggregate FROM withdrawals JOIN lost USING (restaurant, subject_hash, version)
        FOR UPDATE OF withdrawals SKIP LOCKED
    ), added AS (
        INSERT INTO outbox (partition, aggregate, subject, headers, body)
        SELECT partition, aggregate, subject, CAST(headers AS jsonb), body
        FROM lost JOIN locked USING (aggregate)
        RETURNING aggregate
    )
    SELECT lost.partition, added.aggregate IS NOT NULL AS is_added
    FROM lost LEFT JOIN added USING (aggregate)
""").bindparams(
    *(
        bindparam(name, type_=ARRAY(of))
        for name, of in {
            "restaurants": String,
            "subject_hashes": String,
            "versions": BigInteger,
            "partitions": SmallInteger,
            "aggregates": String,
            "subjects": String,
            "headers": String,
            "bodies": LargeBinary,
        }.items()
    )
)


class LostWithdrawals(NamedTuple):
    """What came of a comparison of the table with the stream."""

    published_again: int
    undecided: set[int]
    """Partitions of which a withdrawal was changed just then: compare them once more."""
    stored: list[tuple[int, str]]
    """Sequence and id of the messages that are there."""


class _Own(NamedTuple):
    """A withdrawal as the table has it, and where its events go."""

    restaurant: str
    subject_hash: str
    withdrawn_at: datetime
    version: int
    subject: str

    @property
    def partition(self) -> int:
        return partition_of(subjects.aggregate(self.subject))

    @property
    def event_row(self) -> NewRow:
        """Its event, published again. It says not who withdrew it: the table does not know."""
        withdrawal = Withdrawal(
            restaurant=self.restaurant,
            subject_hash=self.subject_hash,
            withdrawn_at=self.withdrawn_at,
            version=self.version,
        )
        event = AccessWithdrawn(withdrawal=withdrawal, at=self.withdrawn_at, actor=None)
        return outbox_row(event_to_contract(event), event_id=uuid7(), trace={})


# decision/0054: withdrawals are published again from their table
async def publish_lost_withdrawals(
    connection: AsyncConnection,
    statement: asyncio.Lock,
    client: Client,
    partitions: Collection[int],
    token_life_max_s: float = TOKEN_LIFE_MAX_S,
) -> LostWithdrawals:
    """Have those withdrawals of these partitions published again that the stream has not.

    One of which the stream has an older time is lost, too: an older copy of it came back. One that
    waits to be published is not, nor one of longer ago than a token lives: it keeps nobody out, and
    the stream may have dropped it by its age. Raises LeaderSilent, or the error that its leader
    answers with.
    """
    found = LostWithdrawals(0, set(), [])
    async for page in _pages(connection, statement, token_life_max_s):
        own = [each for each in page if each.partition in partitions]
        stored = await newest_messages(client, ACCESS.name, [each.subject for each in own])
        found.stored.extend(
            (each.sequence, each.message_id) for each in stored if each and each.message_id
        )
        lost = [
            each for each, message in zip(own, stored, strict=True) if not _is_in(message, each)
        ]
        if lost:
            async with statement:
                outcomes = (await connection.execute(PUBLISH_AGAIN, _parameters(lost))).all()
            published_again = sum(each.is_added for each in outcomes)
            found = found._replace(published_again=found.published_again + published_again)
            found.undecided.update(each.partition for each in outcomes if not each.is_added)
    return found


async def _pages(
    connection: AsyncConnection, statement: asyncio.Lock, token_life_max_s: float
) -> AsyncIterator[Sequence[_Own]]:
    position = BEFORE_ALL
    of_all = {"limit": COMPARED_WITHDRAWALS, "token_life_max_s": token_life_max_s}
    while True:
        restaurant, subject_hash = position
        after = {"restaurant": restaurant, "subject_hash": subject_hash}
        async with statement:
            rows = (await connection.execute(SELECT_PAGE, after | of_all)).all()
        yield [_own(row) for row in rows]
        if len(rows) < COMPARED_WITHDRAWALS:
            return
        position = rows[-1].restaurant, rows[-1].subject_hash


def _own(row: Any) -> _Own:
    subject = subjects.access(row.restaurant, row.subject_hash, EVENT)
    return _Own(row.restaurant, row.subject_hash, row.withdrawn_at, row.version, subject)


def _is_in(message: StoredMessage | None, own: _Own) -> bool:
    """Whether the message says that the subject was withdrawn then, or later."""
    if message is None:
        return False
    try:
        event = PublishedWithdrawal.model_validate_json(message.body)
    except ValidationError:
        return False
    return event.withdrawal.withdrawn_at >= own.withdrawn_at


def _parameters(lost: Sequence[_Own]) -> Mapping[str, list[Any]]:
    rows = [each.event_row for each in lost]
    return {
        "restaurants": [each.restaurant for each in lost],
        "subject_hashes": [each.subject_hash for each in lost],
        "versions": [each.version for each in lost],
        "partitions": [row["partition"] for row in rows],
        "aggregates": [row["aggregate"] for row in rows],
        "subjects": [row["subject"] for row in rows],
        "headers": [orjson.dumps(row["headers"]).decode() for row in rows],
        "bodies": [row["body"] for row in rows],
    }
