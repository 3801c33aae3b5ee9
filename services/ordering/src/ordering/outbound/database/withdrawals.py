"""Hears of withdrawals from ordering's own table: whichever replica made them, and without NATS."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from comanda_contracts.access import hash_of_subject
from service_kit.access.withdrawals import Withdrawals
from service_kit.runtime.components import Component, Ready
from sqlalchemy import (
    BigInteger,
    Interval,
    Text,
    any_,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.application.transaction import StoreUnavailable
from ordering.domain.access import EVERY_RESTAURANT
from ordering.outbound.database.errors import failure_of, reason_of
from ordering.outbound.database.tables import WithdrawalRow, table

POLL_INTERVAL_S = 0.5
"""Seconds between two looks."""
SWEEP_INTERVAL_S = 600.0
"""Seconds between two removals of those that keep nobody out any more."""
DELETED_WITHDRAWALS_MAX = 1000
"""Withdrawals that are deleted by one statement, and in one transaction."""
BEGINNING = 0
"""Before every transaction."""

WITHDRAWALS = table(WithdrawalRow)
SELECT_SINCE = select(WITHDRAWALS).where(
    WITHDRAWALS.c.written_by >= bindparam("since", type_=BigInteger)
)
SELECT_NEWEST = select(func.max(WITHDRAWALS.c.withdrawn_at)).where(
    WITHDRAWALS.c.restaurant == any_(bindparam("restaurants", type_=ARRAY(Text))),
    WITHDRAWALS.c.subject_hash == bindparam("subject_hash"),
)
OLDEST_RUNNING = select(
    cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)
)
"""The number of a transaction; those before it are over."""

_EXPIRED = (
    select(literal_column("ctid"))
    .select_from(WITHDRAWALS)
    .where(WITHDRAWALS.c.withdrawn_at < func.now() - bindparam("kept_for", type_=Interval))
    .order_by(WITHDRAWALS.c.withdrawn_at)
    .limit(DELETED_WITHDRAWALS_MAX)
    .with_for_update(skip_locked=True)  # one that is moved forward now stays
    .scalar_subquery()
)
DELETE_EXPIRED = delete(WITHDRAWALS).where(
    literal_column("ctid") == any_(func.array(_EXPIRED)),
)


def access_components(engine: AsyncEngine, withdrawals: Withdrawals) -> list[Component]:
    """What ordering runs to judge tokens: it is not ready until it has read the table once."""

    async def follow(ready: Ready) -> None:
        await follow_withdrawals(engine, withdrawals, ready)

    return [
        Component("access", withdrawals.watch_read),
        Component("withdrawals", follow, required=False),
    ]


async def follow_withdrawals(engine: AsyncEngine, withdrawals: Withdrawals, ready: Ready) -> None:
    """Note each withdrawal there is, and each that is committed, within a second, without end.

    Raises when PostgreSQL does not answer: call it again.
    """
    since = BEGINNING
    while True:
        async with engine.connect() as connection:
            oldest_running = await oldest_running_transaction(connection)
            if oldest_running < since:  # another PostgreSQL than before
                since = BEGINNING
            rows = await select_withdrawals(connection, since)
        for row in rows:
            withdrawals.note(row.restaurant, row.subject_hash, row.withdrawn_at.timestamp())
        since = oldest_running
        withdrawals.note_read()
        ready()
        await asyncio.sleep(POLL_INTERVAL_S)


async def is_withdrawn(
    engine: AsyncEngine, restaurant: str, subject: str, issued_at_s: float
) -> bool:
    """Whether the subject's tokens of then were withdrawn, there or everywhere.

    Raises StoreUnavailable.
    """
    which = {
        "restaurants": [restaurant, EVERY_RESTAURANT],
        "subject_hash": hash_of_subject(subject),
    }
    try:
        async with engine.connect() as connection:
            newest = (await connection.execute(SELECT_NEWEST, which)).scalar()
    except Exception as error:  # it is told whose it is
        if failure_of(error).is_passing:
            raise StoreUnavailable(reason_of(error)) from error
        raise
    return newest is not None and issued_at_s <= newest.timestamp()


async def delete_expired_withdrawals(
    engine: AsyncEngine, ready: Ready, *, kept_for: timedelta
) -> None:
    """Remove old withdrawals from time to time; safe to run from many replicas."""
    while True:
        deleted = DELETED_WITHDRAWALS_MAX
        while deleted == DELETED_WITHDRAWALS_MAX:
            async with engine.begin() as connection:
                deleted = await delete_some_expired(connection, kept_for)
        ready()
        await asyncio.sleep(SWEEP_INTERVAL_S)


async def delete_some_expired(connection: AsyncConnection, kept_for: timedelta) -> int:
    """Delete the oldest of them, `DELETED_WITHDRAWALS_MAX` at most; how many it were.

    What keeps no token out any more: one of the same subject then counts from 1 again.
    """
    return (await connection.execute(DELETE_EXPIRED, {"kept_for": kept_for})).rowcount


async def oldest_running_transaction(connection: AsyncConnection) -> int:
    """What those before it wrote is there for whoever looks from now on, and nothing is to come."""
    return int((await connection.execute(OLDEST_RUNNING)).scalar_one())


async def select_withdrawals(connection: AsyncConnection, since: int) -> Sequence[Any]:
    """Those that this transaction wrote, or a later one.

    Never by their time: replicas' clocks differ, and transactions are not over in its order.
    """
    return (await connection.execute(SELECT_SINCE, {"since": since})).all()
