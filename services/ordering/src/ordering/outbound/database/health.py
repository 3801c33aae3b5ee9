"""Whether PostgreSQL can do what ordering needs of it: be there, have the schema, take writes."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from importlib import resources

from service_kit.runtime.components import Ready, WaitingFor
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.outbound.database.errors import failure_of, reason_of, sqlstate_of
from ordering.outbound.database.tables import OutboxRow, table

PROBE_INTERVAL_S = 1.0
"""Seconds between two probes of PostgreSQL."""

PROBE_BYTES = 16 * 1024
"""Bytes of a write that shows whether the disk has room: more than a page has left over."""

REVISION = re.compile(r"\d+_\w+\.py")

SELECT_READ_ONLY = text("SELECT current_setting('transaction_read_only') = 'on'")


MIGRATION = "the migration of the schema"
NO_TABLE, NO_COLUMN = "42P01", "42703"
"""SQLSTATEs of a statement that names what a migration has yet to make."""


class WriteHealth:
    """What the last commands found out about writing, for the probe to look into."""

    def __init__(self) -> None:
        self.failure: str | None = None
        """Why PostgreSQL took no write; None while it does."""


async def watch(engine: AsyncEngine, ready: Ready, writes: WriteHealth) -> None:
    """Say that ordering is ready while PostgreSQL answers, has its schema, and takes writes.

    After a command failed for want of the store, it is ready again once a write succeeds. Raises
    when PostgreSQL does not answer.
    """
    older = revisions_before_the_newest()
    while True:
        async with engine.connect() as connection:
            if await _revision(connection) in older:
                failing: str | None = str(WaitingFor(MIGRATION))
            else:
                failing = await _write_failure(connection, writes)
        ready(failing=failing)
        await asyncio.sleep(PROBE_INTERVAL_S)


def needing_schema(run: Callable[[Ready], Awaitable[None]]) -> Callable[[Ready], Awaitable[None]]:
    """What a component runs, which raises WaitingFor if the schema is older than the program."""

    async def run_on_schema(ready: Ready) -> None:
        try:
            await run(ready)
        except DBAPIError as error:
            if sqlstate_of(error) in (NO_TABLE, NO_COLUMN):
                raise WaitingFor(MIGRATION) from error
            raise

    return run_on_schema


async def _revision(connection: AsyncConnection) -> str | None:
    """The schema's revision; None before the first migration."""
    if (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar() is None:
        return None
    return (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()


async def _write_failure(connection: AsyncConnection, writes: WriteHealth) -> str | None:
    """Why PostgreSQL takes no writes now; None if it does."""
    if (await connection.execute(SELECT_READ_ONLY)).scalar_one():
        await connection.invalidate()  # a new one may lead to the new primary
        return "PostgreSQL is read-only"
    if writes.failure is not None:
        try:
            await _write_and_undo(connection)
        except DBAPIError as error:
            if not failure_of(error).is_passing:
                raise
            writes.failure = reason_of(error)
            return f"PostgreSQL takes no writes: {writes.failure}"
        writes.failure = None
    return None


async def _write_and_undo(connection: AsyncConnection) -> None:
    """Write an event that nobody will ever see."""
    event = {"partition": 0, "aggregate": "", "subject": "", "headers": {}}
    await connection.execute(insert(table(OutboxRow)), event | {"body": os.urandom(PROBE_BYTES)})
    await connection.rollback()


# decision/0015: a Job migrates, and readiness waits for it
def revisions_before_the_newest() -> set[str | None]:
    """Those that this program can't work on, by the names of their files: `0001_orders.py`.

    A revision that it does not know is from a later release, and each release keeps the schema
    such that the one before goes on working, and can be come back to. Alembic is not asked: only a
    migration needs it, and it takes a quarter of a second to import.
    """
    files = resources.files("ordering.migrations.versions").iterdir()
    *older, _ = sorted(each.name.partition("_")[0] for each in files if REVISION.match(each.name))
    return {None, *older}
