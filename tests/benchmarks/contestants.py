"""The contestants as real processes: Comanda's services, and the CRUD service, on real servers."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
from comanda_local.places import LOOPBACK, free_port
from comanda_local.processes import Child
from comanda_local.servers import Postgres
from comanda_local.services import environment
from comanda_local.stack import FREE_PORTS, Stack

from tests.benchmarks.orders import MENU, RESTAURANT

ROOT = Path(__file__).parents[2]
ADDRESS = f"/v1/restaurants/{RESTAURANT}"


@contextlib.contextmanager
def comanda(folder: Path) -> Iterator[Stack]:
    """The whole of Comanda, with the menu on sale."""
    with Stack(folder / "comanda", FREE_PORTS, {}) as stack:
        with httpx.Client(base_url=stack.services["ordering"].url, trust_env=False) as ordering:
            venue = {"name": "La Piazza", "currency": "EUR", "time_zone": "Europe/Rome"}
            ordering.put(ADDRESS, json=venue).raise_for_status()
            for item in MENU:
                body = {"name": item.name, "category": item.category, "price": item.price}
                ordering.put(f"{ADDRESS}/menu/{item.sku}", json=body).raise_for_status()
        yield stack


class Crud:
    """The CRUD service on a PostgreSQL of its own: one process, or several on one database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "crud"
        self.postgres = Postgres(self._folder / "postgres")
        self.processes: list[Child] = []

    def start(self) -> str:
        """Start one more process of it and wait until it answers. Returns its URL."""
        port = free_port()
        process = Child(
            f"crud-{len(self.processes) + 1}",
            [
                *(sys.executable, "-m", "uvicorn", "tests.benchmarks.crud.app:app"),
                *("--app-dir", str(ROOT), "--host", LOOPBACK, "--port", str(port)),
                *("--loop", "uvloop", "--http", "httptools", "--no-access-log"),
                *("--timeout-keep-alive", "60", "--log-level", "warning"),
            ],
            self._folder / f"process-{len(self.processes) + 1}",
            env=environment({"CRUD_DATABASE_URL": self.postgres.url}),
        )
        process.start()
        self.processes.append(process)
        process.wait_until(lambda: process.listens_on(port), within=60)
        return f"http://{LOOPBACK}:{port}"

    def stop(self) -> None:
        for process in self.processes:
            process.stop()
        self.postgres.stop()


@contextlib.contextmanager
def crud(folder: Path) -> Iterator[tuple[Crud, str]]:
    """The CRUD service as one process, with the menu on sale, and its URL."""
    service = Crud(folder)
    service.postgres.start()
    try:
        yield service, service.start()
    finally:
        service.stop()
