"""Runs the migrations that Alembic asks for, while the release before goes on."""

import asyncio

from alembic import context
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from ordering.outbound.database import tables  # noqa: F401 - declares the tables
from ordering.outbound.database.engine import by_tls

ONE_AT_A_TIME = 0x636D6967
"""The advisory lock that lets one migration run at a time."""

LOCK_TIMEOUT_S = 2.0
"""Seconds that a revision waits for a lock: every command that comes after waits behind it."""


def migrate(connection: Connection) -> None:
    """Run each revision in a transaction of its own, or in none, where it asks for that.

    Raises TimeoutError while another migration runs. It does not wait for that in a statement: the
    other may be making an index, which waits until the statements of all others are over.
    """
    lock = text(f"SELECT pg_try_advisory_lock({ONE_AT_A_TIME})")
    is_alone = connection.execute(lock).scalar_one()
    connection.commit()
    if not is_alone:
        raise TimeoutError("another migration is running")
    event.listen(connection, "begin", _bound_waits)
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _bound_waits(connection: Connection) -> None:
    """Bound this transaction's waits for locks; without one, nobody is held up, nor this bound."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(1000 * LOCK_TIMEOUT_S)}")


async def run() -> None:
    given = context.config.attributes
    connect_args = {"timeout": 5} | by_tls(given.get("tls"))
    engine = create_async_engine(given["url"], poolclass=NullPool, connect_args=connect_args)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()


asyncio.run(run())
