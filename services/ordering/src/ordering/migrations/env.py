"""Runs the migrations that Alembic asks for."""

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from ordering.outbound.database import tables  # noqa: F401 - declares the tables

ONE_AT_A_TIME = 0x636D6967
"""The advisory lock that lets one migration run at a time."""


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=SQLModel.metadata)
    with context.begin_transaction():
        connection.execute(text(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})"))
        context.run_migrations()


async def run() -> None:
    engine = create_async_engine(
        context.config.attributes["url"], poolclass=NullPool, connect_args={"timeout": 5}
    )
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()


asyncio.run(run())
