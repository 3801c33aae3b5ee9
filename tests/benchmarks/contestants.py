"""The contestants as real processes: Comanda's services, and the CRUD service, on real servers."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
from comanda_local.ports import LOOPBACK, free_port
from comanda_local.processes import Child
from comanda_local.servers import Postgres
from comanda_local.services import environment
from comanda_local.stack import FREE_PORTS, Stack

from tests.benchmarks.orders import ELSEWHERE, MENU, RESTAURANT, address
from tests.support.rates import HIGH_RATES
from tests.support.tokens import bearer, own_issuer

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def comanda(folder: Path) -> Iterator[Stack]:
    """The whole of Comanda, with the menu on sale in every restaurant.

    The services count each request, and refuse none: all come from one subject.
    """
    os.environ.update(HIGH_RATES)  # a Stack's services inherit it
    with Stack(folder / "comanda", FREE_PORTS, {}, own_issuer()) as stack:
        url = stack.services["ordering"].url
        with httpx.Client(base_url=url, trust_env=False, headers=bearer()) as ordering:
            for restaurant in (RESTAURANT, *ELSEWHERE):
                open_restaurant(ordering, restaurant)
        yield stack


def open_restaurant(ordering: httpx.Client, restaurant: str) -> None:
    """Open it, with the menu on sale."""
    venue = {"name": restaurant, "currency": "EUR", "time_zone": "Europe/Rome"}
    ordering.put(address(restaurant), json=venue).raise_for_status()
    for item in MENU:
        body = {"name": item.name, "category": item.category, "price": item.price}
        ordering.put(f"{address(restaurant)}/menu/{item.sku}", json=body).raise_for_status()


class Web:
    """An application on the HTTP server of Comanda's services, with their options."""

    def __init__(self, app: str, folder: Path, urls: dict[str, str] | None = None) -> None:
        self._port = free_port()
        self.process = Child(
            folder.name,
            [
                *(sys.executable, "-m", "uvicorn", app, "--app-dir", str(ROOT)),
                *("--host", LOOPBACK, "--port", str(self._port)),
                *("--loop", "uvloop", "--http", "httptools", "--no-access-log"),
                *("--timeout-keep-alive", "60", "--log-level", "warning"),
            ],
            folder,
            env=environment(urls or {}),
        )

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.process.start()
        self.process.wait_until(lambda: self.process.listens_on(self._port), within=60)


class Crud:
    """The CRUD service on a PostgreSQL of its own: one process, or several on one database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "crud"
        self.postgres = Postgres(self._folder / "postgres")
        self._web: list[Web] = []

    @property
    def processes(self) -> list[Child]:
        return [self.postgres.process, *(each.process for each in self._web)]

    def start(self) -> str:
        """Start one more process of it and wait until it answers. Returns its URL."""
        name = f"crud-{len(self._web) + 1}"
        urls = {"CRUD_DATABASE_URL": self.postgres.url, **own_issuer().environment}
        web = Web("tests.benchmarks.crud.app:app", self._folder / name, urls)
        self._web.append(web)
        web.start()
        return web.url

    def stop(self) -> None:
        for web in self._web:
            web.process.stop()
        self.postgres.stop()


@contextlib.contextmanager
def crud(folder: Path) -> Iterator[tuple[Crud, str]]:
    """The CRUD service as one process, and its URL."""
    service = Crud(folder)
    service.postgres.start()
    try:
        yield service, service.start()
    finally:
        service.stop()
