"""A backup of PostgreSQL as production has it: a copy while it runs, and the log since then."""

import asyncio
import shutil
import subprocess
import time
from pathlib import Path

import asyncpg
import psutil
from comanda_local.servers import Postgres
from comanda_local.servers.postgres import SUPERUSER

WAL_TIMEOUT_S = 60.0
LOOK_INTERVAL_S = 0.1
FOLLOWER = "drill"

SETTINGS_FILE = "postgresql.auto.conf"
IS_LOG_TAKEN = f"""
    SELECT coalesce(bool_or(flush_lsn >= $1::pg_lsn), false)
    FROM pg_stat_replication WHERE application_name = '{FOLLOWER}'
"""


class PostgresBackup:
    """A folder with a copy of the database and its log, which is taken for as long as it lasts."""

    def __init__(self, folder: Path, server: Postgres) -> None:
        """Begin to take the log. Ends by `stop`."""
        self._server = server
        self._base, self._log = folder / "base", folder / "log"
        for each in (folder, self._log):
            each.mkdir(mode=0o755)
        receiving = [*self._program("pg_receivewal"), f"--slot={FOLLOWER}"]
        self._run([*receiving, "--create-slot"])  # so that no part of the log is removed untaken
        self._receiver = subprocess.Popen(
            [*receiving, "--directory", self._log, "--synchronous"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def copy(self) -> None:
        """Copy the database as it is now; it goes on meanwhile."""
        program = [*self._program("pg_basebackup"), "--pgdata", self._base]
        self._run([*program, "--wal-method=none", "--checkpoint=fast", "--no-manifest"])

    async def stop(self) -> None:
        """End it, once the log has all that was committed before. Raises TimeoutError."""
        connection = await asyncpg.connect(self._server.url.replace("+asyncpg", ""))
        try:
            end = await connection.fetchval("SELECT pg_current_wal_flush_lsn()::text")
            deadline = time.monotonic() + WAL_TIMEOUT_S
            while not await connection.fetchval(IS_LOG_TAKEN.replace("$1", f"'{end}'")):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the log is not taken up to {end}")
                await asyncio.sleep(LOOK_INTERVAL_S)
        finally:
            await connection.close()
        self.kill()

    def kill(self) -> None:
        """End it as it is."""
        self._receiver.kill()
        self._receiver.wait()

    def restore(self, folder: Path) -> None:
        """Make the data of a server that is to start in this folder."""
        data = folder / "data"
        folder.mkdir(mode=0o755)
        shutil.copytree(self._base, data)
        whole, begun = f"{self._log}/%f", f"{self._log}/%f.partial"
        command = f"cp {whole} %p 2>/dev/null || cp {begun} %p"
        with (data / SETTINGS_FILE).open("a") as file:
            file.write(f"restore_command = '{command}'\nhot_standby = off\n")
        (data / "recovery.signal").touch()
        owner = self._data.stat()
        for each in (data, *data.rglob("*"), self._log, *self._log.iterdir()):
            shutil.chown(each, owner.st_uid, owner.st_gid)
        data.chmod(0o700)

    @property
    def _data(self) -> Path:
        return self._server._data

    def _program(self, name: str) -> list[str | Path]:
        programs = Path(psutil.Process(self._server.process.pid).exe()).parent
        where = f"host={self._server._sockets} user={SUPERUSER} application_name={FOLLOWER}"
        return [programs / name, "--dbname", where]

    def _run(self, command: list[str | Path]) -> None:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{Path(command[0]).name}: {done.stderr.strip()}")
