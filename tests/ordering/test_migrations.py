"""The schema that the migrations make is the one that the tables describe."""

import asyncio
import os
import sys
from datetime import time

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from ordering.outbound.database.engine import connect, migrate
from ordering.outbound.database.health import WriteHealth, watch
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

from tests.ordering.builders import a_restaurant
from tests.ordering.conftest import Database
from tests.ordering.use_cases import setting


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


async def test_the_release_before_goes_on_beside_the_hour_of_the_day(database: Database) -> None:
    """By the statements of a program that does not know the columns."""
    venue = "'la-piazza', 'La Piazza', 'EUR', 'Europe/Rome', 1"
    async with database.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO restaurants (restaurant, name, currency, time_zone, version) "
                f"VALUES ({venue})"
            )
        )
    store = database.replica()

    opened = await store.run(setting(a_restaurant(name="La Piazzetta")))
    await store.run(setting(a_restaurant(name="La Piazzetta", day_begins=time(4))))
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE restaurants SET name = 'La Piazza', version = 4"))
    renamed = await store.run(setting(a_restaurant(name="Da Mario", day_begins=time(4))))

    assert (opened.day_begins, opened.version) == (time(0), 2)
    assert (renamed.day_begins, renamed.version) == (time(4), 5)
    assert renamed.day_begins_since is not None


async def test_ordering_is_ready_once_the_schema_is_there(fresh_database: str) -> None:
    reports = Reports()
    engine = connect(fresh_database)
    watching = asyncio.create_task(watch(engine, reports, WriteHealth()))

    assert await reports.states.get() == "the schema is to be migrated"

    await asyncio.to_thread(migrate, fresh_database)
    while await reports.states.get() is not None:
        assert not watching.done()

    watching.cancel()
    await engine.dispose()


async def test_ordering_works_on_the_schema_of_a_later_release(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    reports = Reports()

    watching = asyncio.create_task(watch(database.engine, reports, WriteHealth()))

    assert await reports.states.get() is None
    watching.cancel()


class Reports:
    """Keeps what a component says of itself."""

    def __init__(self) -> None:
        self.states: asyncio.Queue[str | None] = asyncio.Queue()

    def __call__(self, failing: str | None = None) -> None:
        self.states.put_nowait(failing)
