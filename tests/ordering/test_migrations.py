"""The schema that the migrations make is the one that the tables describe."""

import asyncio
import os
import sys

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlmodel import SQLModel

from tests.ordering.conftest import Database


async def test_the_migrations_make_the_tables_as_they_are_described(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), SQLModel.metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_many_may_migrate_at_once_and_again(fresh_database: str) -> None:
    async def migration() -> int:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ordering", "migrate"),
            env=os.environ | {"COMANDA_DATABASE_URL": fresh_database},
        )
        return await process.wait()

    assert await asyncio.gather(*(migration() for _ in range(3))) == [0, 0, 0]
    assert await migration() == 0
