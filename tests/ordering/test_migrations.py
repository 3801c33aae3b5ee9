"""The schema that the migrations make is the one that the tables describe."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import time

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from comanda_local.ports import LOOPBACK, free_port
from ordering.__main__ import main
from ordering.outbound.database import migration
from ordering.outbound.database.engine import connect
from ordering.outbound.database.health import WriteHealth, revisions_before_the_newest, watch
from ordering.outbound.database.migration import alembic_config, migrate
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import SQLModel
from structlog.testing import capture_logs

from tests.ordering.builders import a_restaurant
from tests.ordering.conftest import Database
from tests.ordering.use_cases import setting
from tests.support.eventually import eventually

NO_NATS = "nats://127.0.0.1:1"
NO_DATABASE = "postgresql+asyncpg:///nowhere?host=/nowhere"
WAITING_FOR_LOCKS = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
""")


async def test_the_migrations_make_the_tables_as_they_are_described(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), SQLModel.metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_many_may_migrate_at_once_and_again_and_log_it_as_services_do(
    fresh_database: str,
) -> None:
    async def migration() -> tuple[int | None, dict[str, str]]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ordering", "migrate"),
            env=os.environ | {"COMANDA_DATABASE_URL": fresh_database},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        *_, last = out.decode().splitlines()
        return process.returncode, json.loads(last)

    at_once = await asyncio.gather(*(migration() for _ in range(3)))

    for code, line in (*at_once, await migration()):
        assert code == 0
        assert (line["service"], line["event"]) == ("ordering", "the schema is up to date")


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


def test_the_files_of_the_migrations_are_named_by_their_revisions() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())

    (newest,) = scripts.get_heads()
    earlier = {each.revision for each in scripts.walk_revisions()} - {newest}
    assert revisions_before_the_newest() == {None, *earlier}


def imported(instead: str, *arguments: str) -> set[str]:
    """The modules that a command has imported when it comes to call this function."""
    module = instead.rpartition(".")[0]
    program = f"""
import sys
import {module}
{instead} = lambda *_: print(*sys.modules)
from ordering.__main__ import main
main(sys.argv[1:])
"""
    outcome = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | {"COMANDA_NATS_URL": NO_NATS, "COMANDA_DATABASE_URL": NO_DATABASE},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(outcome.stdout.split())


@pytest.mark.programs
def test_a_service_that_starts_does_not_import_what_only_another_command_needs() -> None:
    modules = imported("service_kit.http.server.serve")

    assert "fastapi" in modules
    assert {"alembic", "mako", "typer"} & modules == set()


@pytest.mark.programs
def test_a_migration_does_not_import_what_only_the_service_needs() -> None:
    modules = imported("ordering.outbound.database.migration.migrate", "migrate")

    assert "alembic" in modules
    assert {"fastapi", "faststream", "nats", "typer", "uvicorn"} & modules == set()


async def test_ordering_is_ready_once_the_schema_is_there(fresh_database: str) -> None:
    reports = Reports()
    engine = connect(fresh_database)
    watching = asyncio.create_task(watch(engine, reports, WriteHealth()))

    assert await reports.states.get() == "waiting for the migration of the schema"

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


async def upgraded_to(url: str, revision: str) -> AsyncEngine:
    """The database of this URL at an earlier revision."""
    config = alembic_config()
    config.attributes["url"] = url
    await asyncio.to_thread(command.upgrade, config, revision)
    return create_async_engine(url)


async def test_a_migration_gives_up_a_lock_that_others_would_wait_behind_and_comes_back(
    fresh_database: str,
) -> None:
    engine = await upgraded_to(fresh_database, "0001")
    async with engine.connect() as reader:
        await reader.execute(text("SELECT 1 FROM restaurants"))
        with capture_logs() as logged:
            migrating = asyncio.create_task(asyncio.to_thread(migrate, fresh_database))

            async def gave_up() -> bool:
                return any("LockNotAvailableError" in each.get("reason", "") for each in logged)

            try:
                await eventually(gave_up)
            finally:
                await reader.rollback()
                await migrating
    await engine.dispose()


async def test_orders_are_taken_while_the_index_of_cancellations_is_made(
    fresh_database: str,
) -> None:
    """It has to wait for a transaction that has written, and nobody waits behind it."""
    engine = await upgraded_to(fresh_database, "0004")
    async with engine.connect() as writer, engine.connect() as other:
        await writer.execute(text("UPDATE orders SET version = version"))
        migrating = asyncio.create_task(asyncio.to_thread(migrate, fresh_database))

        async def waits() -> object:
            async with engine.connect() as connection:
                return (await connection.execute(WAITING_FOR_LOCKS)).scalar_one()

        try:
            await eventually(waits)
            await other.execute(text("SET LOCAL lock_timeout = '1ms'"))
            await other.execute(text("UPDATE orders SET version = version"))
        finally:
            await other.rollback()
            await writer.rollback()
            await migrating
    await engine.dispose()


class Reports:
    """Keeps what a component says of itself."""

    def __init__(self) -> None:
        self.states: asyncio.Queue[str | None] = asyncio.Queue()

    def __call__(self, failing: str | None = None) -> None:
        self.states.put_nowait(failing)


async def said_by_migrate(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the command ends with, when it fails."""
    monkeypatch.setenv("COMANDA_DATABASE_URL", database_url)
    monkeypatch.setattr("service_kit.runtime.logs.configure", lambda *_: None)  # this process's
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main, ["migrate"])
    assert isinstance(ended.value.code, str)
    return ended.value.code


def test_a_migration_waits_for_postgresql_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcomes = [ConnectionRefusedError("refused"), ConnectionRefusedError("refused"), None]
    pauses: list[float] = []

    def upgrade(*_: object) -> None:
        if error := outcomes.pop(0):
            raise error

    monkeypatch.setattr("alembic.command.upgrade", upgrade)
    monkeypatch.setattr("time.sleep", pauses.append)

    with capture_logs() as logged:
        migrate("postgresql+asyncpg://ordering@nowhere/ordering")

    assert outcomes == []
    assert pauses == [0.5, 1.0]
    assert logged == [
        {
            "event": "waiting for PostgreSQL",
            "log_level": "warning",
            "reason": "ConnectionRefusedError: refused",
        },
        {"event": "the schema is up to date", "log_level": "info"},
    ]


async def test_a_migration_gives_up_in_a_line_when_postgresql_stays_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(migration, "WITHIN_S", 0.0)
    nowhere = f"postgresql+asyncpg://ordering@{LOOPBACK}:{free_port()}/ordering"

    said = await said_by_migrate(nowhere, monkeypatch)

    assert said.startswith("PostgreSQL: not there within 0 s (ConnectionRefusedError")
    assert "\n" not in said


async def test_a_migration_that_is_refused_says_why_in_a_line_and_does_not_wait(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = fresh_database.partition("?")[0].rpartition("/")[2]
    other = fresh_database.replace(name, f"{name}_of_nobody")

    said = await said_by_migrate(other, monkeypatch)

    assert said.startswith("PostgreSQL: InvalidCatalogNameError: database")
    assert "\n" not in said


async def test_a_schema_of_a_later_release_is_named_in_a_line(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    said = await said_by_migrate(database.url, monkeypatch)

    assert "9999" in said
    assert "\n" not in said
