"""The connection to PostgreSQL, and the schema in it."""

import asyncio
from typing import Any

import asyncpg
import orjson
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from service_kit.runtime.components import Ready
from sqlalchemy import AdaptedConnection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

PROBE_INTERVAL_S = 1.0
"""Seconds between two probes of PostgreSQL."""

STATEMENT_TIMEOUT_S = 10.0
"""Seconds after which a statement is given up."""

IDLE_TRANSACTION_TIMEOUT_S = 15.0
"""Seconds without a statement after which PostgreSQL gives a transaction up.

Its process may be gone without a word, and it holds locks that others wait for.
"""


def connect(url: str) -> AsyncEngine:
    """An engine for this URL; connections are made when they are needed."""
    engine = create_async_engine(
        url,
        pool_size=5,
        max_overflow=5,
        pool_timeout=5,
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        hide_parameters=True,  # errors are logged, and guests have names
        connect_args={"command_timeout": STATEMENT_TIMEOUT_S, "timeout": 5},
    )
    event.listen(engine.sync_engine, "connect", _limit_idle_transactions)
    return engine


def _limit_idle_transactions(connection: AdaptedConnection, _: object) -> None:
    """By a statement: poolers refuse connections with parameters that they don't know."""
    statement = (
        f"SET idle_in_transaction_session_timeout = {int(1000 * IDLE_TRANSACTION_TIMEOUT_S)}"
    )
    connection.run_async(lambda driver: driver.execute(statement))


async def watch(engine: AsyncEngine, ready: Ready) -> None:
    """Say that ordering is ready while PostgreSQL answers and has its schema.

    Raises when PostgreSQL does not answer.
    """
    older = await asyncio.to_thread(_revisions_before_the_newest)
    while True:
        async with engine.connect() as connection:
            behind = await _revision(connection) in older
        ready(failing="the schema is to be migrated" if behind else None)
        await asyncio.sleep(PROBE_INTERVAL_S)


async def _revision(connection: AsyncConnection) -> str | None:
    """The schema's revision; None before the first migration."""
    if (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar() is None:
        return None
    return (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()


# decision/0015: a Job migrates, and readiness waits for it
def _revisions_before_the_newest() -> set[str | None]:
    """Those that this program can't work on.

    A revision that it does not know is from a later release, and each release keeps the schema
    such that the one before goes on working, and can be come back to.
    """
    scripts = ScriptDirectory.from_config(_alembic())
    return {None, *(each.revision for each in scripts.walk_revisions())} - {*scripts.get_heads()}


def migrate(url: str) -> None:
    """Bring the schema to the newest revision. Safe to repeat, and to run from many at once."""
    config = _alembic()
    config.attributes["url"] = url
    command.upgrade(config, "head")


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", "ordering:migrations")
    return config


def is_connection_loss(error: BaseException) -> bool:
    """Whether PostgreSQL was not there, went away, or is stopping or starting."""
    if isinstance(error, DBAPIError):
        cause = error.orig.__cause__ if error.orig else None
        return error.connection_invalidated or is_connection_loss(cause or ValueError())
    return isinstance(
        error,
        OSError
        | TimeoutError
        | asyncpg.PostgresConnectionError
        | asyncpg.OperatorInterventionError,
    )


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()
