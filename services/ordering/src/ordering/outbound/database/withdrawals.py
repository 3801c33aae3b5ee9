"""Hears of withdrawals from ordering's own table: whichever replica made them, and without NATS."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from service_kit.access.withdrawals import Withdrawals
from service_kit.runtime.components import Component, Ready
from sqlalchemy import DateTime, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.outbound.database.tables import WithdrawalRow, table

POLL_INTERVAL_S = 0.5
"""Seconds between two looks."""
OVERLAP = timedelta(minutes=5)
"""What is read again at each look: replicas' clocks differ, and transactions take their time."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

WITHDRAWALS = table(WithdrawalRow)
SELECT_SINCE = select(WITHDRAWALS).where(
    WITHDRAWALS.c.withdrawn_at > bindparam("since", type_=DateTime(timezone=True))
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
            rows = await select_withdrawals(connection, since)
        for row in rows:
            withdrawals.note(row.restaurant, row.subject_hash, row.withdrawn_at.timestamp())
        since = max([since, *(row.withdrawn_at - OVERLAP for row in rows)])
        withdrawals.note_read()
        ready()
        await asyncio.sleep(POLL_INTERVAL_S)


async def select_withdrawals(connection: AsyncConnection, since: datetime) -> Sequence[Any]:
    """Those whose time is later."""
    return (await connection.execute(SELECT_SINCE, {"since": since})).all()
