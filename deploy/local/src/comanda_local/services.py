"""The three services, each as a process of its own."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from comanda_local import server_files
from comanda_local.ports import LOOPBACK, require_free
from comanda_local.processes import Child

NAMES = ("ordering", "serving", "query")
SERVERS = ("NATS", "DATABASE", "MONGODB")
"""What the variables of the servers that services use name them by."""

READY_TIMEOUT_S = 60.0
"""Seconds in which a service must be ready."""


class Service:
    """One replica of a service, listening on loopback. Its methods raise CannotStart."""

    def __init__(
        self, name: str, port: int, folder: Path, urls: Mapping[str, str], *role: str
    ) -> None:
        """`urls` holds the environment variables of the servers that this service uses, and more.

        A `role` is the command that has it do only a part of what it does.
        """
        self.name = name
        self.port = port
        self.process = Child(
            name, command(name, *role), folder, env=environment(urls) | _http_environment(port)
        )

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it, without waiting until it is ready."""
        require_port(self.name, self.port)
        self.process.start()

    def wait_until_ready(self) -> None:
        with httpx.Client(timeout=2, trust_env=False) as client:
            self.process.wait_until(lambda: self._is_ready(client), within=READY_TIMEOUT_S)

    def stop(self) -> int | None:
        """End it in order. Returns its exit code; None if it did not run."""
        return self.process.stop()

    def kill(self) -> None:
        """End it as a crash would, by SIGKILL."""
        self.process.kill()

    def _is_ready(self, client: httpx.Client) -> bool:
        if not self.process.listens_on(self.port):
            return False
        try:
            return client.get(f"{self.url}/health/ready").is_success
        except httpx.TransportError:
            return False


def command(service: str, *arguments: str) -> list[str]:
    """How to run a service; `-P` keeps the current folder out of the import path."""
    return [sys.executable, "-P", "-m", service, *arguments]


def environment(urls: Mapping[str, str]) -> dict[str, str]:
    """Our environment with the given servers' URLs and files, and no other server's."""
    inherited = {name: value for name, value in os.environ.items() if not _is_of_server(name)}
    return {**inherited, **urls, "PYTHONUNBUFFERED": "1"}


def _is_of_server(variable: str) -> bool:
    servers, kinds = "|".join(SERVERS), "|".join(("URL", "SEED", *server_files.KINDS))
    return re.fullmatch(f"COMANDA_({servers})_({kinds})", variable) is not None


def require_port(name: str, port: int) -> None:
    """Raise CannotStart if the port that a service is to listen on is taken."""
    require_free(port, name, f"Stop it, or give {name} another port.")


def _http_environment(port: int) -> dict[str, str]:
    return {"COMANDA_HTTP_HOST": LOOPBACK, "COMANDA_HTTP_PORT": str(port)}
