"""The whole system on one machine: the servers, then the services, as real processes."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from comanda_local import access, services
from comanda_local.access import GuestKeys, Issuer
from comanda_local.folders import locked
from comanda_local.ports import free_port, require_free
from comanda_local.processes import RECORD_FILE, CannotStart, Child, end_leftover
from comanda_local.server_files import files_beside
from comanda_local.servers import MongoDB, Nats, Postgres, nats
from comanda_local.servers.nats import ACCOUNTS
from comanda_local.services import Service
from comanda_local.team_consumers import make_consumers
from comanda_local.teams import written_teams

NATS_URL = "COMANDA_NATS_URL"
OPERATOR_NATS_URL = "COMANDA_OPERATOR_NATS_URL"
OPERATOR_NATS_NKEY = "COMANDA_OPERATOR_NATS_NKEY"
NATS_NKEY = "COMANDA_NATS_NKEY"
DATABASE_URL = "COMANDA_DATABASE_URL"
MONGODB_URL = "COMANDA_MONGODB_URL"
GATEWAY_PREFIXES = "COMANDA_GATEWAY_PREFIXES"

USES = {
    "ordering": (NATS_URL, DATABASE_URL),
    "serving": (NATS_URL,),
    "query": (NATS_URL, MONGODB_URL),
}
"""The servers that each service is told of, and no other."""


class Server(Protocol):
    """What the embedded servers have in common."""

    @property
    def url(self) -> str: ...
    @property
    def process(self) -> Child: ...
    def start(self) -> None: ...
    def stop(self) -> int | None: ...
    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen; None stands for any free port."""

    ordering: int | None = None
    serving: int | None = None
    query: int | None = None
    nats: int | None = None
    pages: int | None = None


FREE_PORTS = Ports()

_SERVERS: dict[str, Callable[[Path, Ports], Server]] = {
    NATS_URL: lambda folder, ports: Nats(folder / "nats", ports.nats, accounts=ACCOUNTS),
    DATABASE_URL: lambda folder, _: Postgres(folder / "postgres"),
    MONGODB_URL: lambda folder, _: MongoDB(folder / "mongodb"),
}


class Stack:
    """Servers and services with their data and logs in one folder, which one Stack at a time holds.

    A server whose URL is in the environment is used instead of an embedded one. Use it as a context
    manager: entering starts everything and waits until it is ready, leaving stops it in order.
    Parts can be stopped, killed and started one by one through `servers`, `services` and `replica`.
    """

    def __init__(
        self,
        folder: Path,
        ports: Ports = FREE_PORTS,
        environment: Mapping[str, str] = os.environ,
        issuer: Issuer | None = None,
    ) -> None:
        """Without an issuer the services believe one whose key is in the folder."""
        self.folder = folder.resolve()
        self.servers: dict[str, Server] = {}
        """The embedded servers by the name of their environment variable."""
        self.services: dict[str, Service] = {}
        """The first replica of each service by its name."""
        self.team_consumers: list[str] = []
        """Those that teams read by on the embedded NATS, and which of them begin anew."""
        self.killed: list[str] = []
        """Names of the processes that did not end in time when everything was stopped."""
        self._given_issuer = issuer
        self._ports = ports
        self._given = {name: environment[name] for name in _SERVERS if environment.get(name)}
        self._files = {name: files_beside(name, environment) for name in self._given}
        self._replicas: list[Service] = []
        self._leaving = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            self._leaving.enter_context(locked(self.folder))
            self._leaving.callback(self._stop)
            self._end_leftovers()
            self._require_ports()
            self._start_servers()
            self._prepare()
            self._start_services()
        except BaseException:
            self._leaving.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._leaving.close()

    @property
    def urls(self) -> dict[str, str]:
        """The servers' URLs, for an operator, by the name of their environment variable."""
        return {name: server.url for name, server in self.servers.items()} | self._given

    @property
    def files(self) -> dict[str, str]:
        """The files beside those URLs that were given, by the name of their variable."""
        return {name: file for files in self._files.values() for name, file in files.items()}

    @cached_property
    def issuer(self) -> Issuer:
        """Signs tokens that the services believe."""
        return self._given_issuer or Issuer.in_folder(self.folder / access.FOLDER)

    @property
    def parts(self) -> list[Server | Service]:
        """Everything that should be running."""
        return [*self.servers.values(), *self.services.values(), *self._replicas]

    @property
    def processes(self) -> list[Child]:
        """Every process that should be running."""
        return [part.process for part in self.parts]

    def replica(self, name: str, *role: str) -> Service:
        """Start one more replica of a service on a port of its own and wait until it is ready.

        With a role, such as query's `api`, it does only that.
        """
        service = self._service(name, f"{name}-{len(self._replicas) + 2}", free_port(), *role)
        self._replicas.append(service)
        service.start()
        service.wait_until_ready()
        return service

    def _end_leftovers(self) -> None:
        """End what a Stack that was killed left behind: its services first, as at every end."""
        left = set(self.folder.glob(f"*/{RECORD_FILE}"))
        servers = {self.folder / name / RECORD_FILE for name in ("nats", "postgres", "mongodb")}
        for records in (left - servers, left & servers):
            with ThreadPoolExecutor(max_workers=8) as together:
                list(together.map(end_leftover, records))

    def _require_ports(self) -> None:
        """Say which of the wanted ports is taken before anything has been started."""
        for name in services.NAMES:
            if port := getattr(self._ports, name):
                services.require_port(name, port)
        if self._ports.nats and NATS_URL not in self._given:
            nats.require_port(self._ports.nats)
        if self._ports.pages:
            require_free(self._ports.pages, "the pages", "Stop it, or give the pages another port.")

    def _start_servers(self) -> None:
        for variable, kind in _SERVERS.items():
            if variable not in self._given:
                self.servers[variable] = kind(self.folder, self._ports)
        with ThreadPoolExecutor(max_workers=len(_SERVERS)) as together:
            for started in [together.submit(server.start) for server in self.servers.values()]:
                started.result()

    def _prepare(self) -> None:
        """Run once what the services need: the migration, and the set-up of streams and durables.

        All at once, because each set-up waits for the streams of the others.
        """
        if isinstance(server := self.servers.get(DATABASE_URL), Postgres):
            server.make_roles()
        with contextlib.ExitStack() as ending:
            steps = [self._step("migration", "ordering", "migrate")]
            steps += [self._step(f"{name}-set-up", name, "set-up") for name in services.NAMES]
            for step in steps:
                ending.callback(step.stop)
                step.start()
            for step in steps:
                if step.wait() != 0:
                    raise CannotStart(f"{step.name} failed.\n{step.tail()}")
        if NATS_URL in self.servers:
            self._make_team_consumers()

    def _make_team_consumers(self) -> None:
        """In a thread, because whoever starts us may have an event loop running in this one."""
        teams = written_teams(ACCOUNTS.parent)
        with ThreadPoolExecutor(max_workers=1) as beside:
            made = beside.submit(asyncio.run, make_consumers(self.urls[NATS_URL], teams))
            self.team_consumers = made.result()

    def _step(self, folder: str, service: str, command: str) -> Child:
        return Child(
            f"{service} {command}",
            services.command(service, command),
            self.folder / folder,
            env=services.environment(
                self._urls_for(service, nats=f"{service}-operator", database="ordering_migrator")
            ),
        )

    def _start_services(self) -> None:
        for name in services.NAMES:
            port = getattr(self._ports, name) or free_port()
            self.services[name] = self._service(name, name, port)
            self.services[name].start()
        for service in self.services.values():
            service.wait_until_ready()

    def _service(self, name: str, folder: str, port: int, *role: str) -> Service:
        guests = GuestKeys(self.folder / access.FOLDER / access.GUESTS_FOLDER)
        told = self._urls_for(name) | self.issuer.environment | guests.environment_of(name)
        told[GATEWAY_PREFIXES] = f"/{name}"  # below which the pages' host has it
        if isinstance(server := self.servers.get(NATS_URL), Nats):
            told[OPERATOR_NATS_URL] = server.url_of(f"{name}-operator")
            told[OPERATOR_NATS_NKEY] = str(server.seed_file_of(f"{name}-operator"))
        return Service(name, port, self.folder / folder, told, *role)

    def _urls_for(
        self, service: str, *, nats: str | None = None, database: str | None = None
    ) -> dict[str, str]:
        """The URLs of what the service uses, on the embedded servers those of users of its own.

        Beside the URL of one that is given are its files, beside that of the embedded NATS is the
        file of the user's key.
        """
        users = {NATS_URL: nats or service, DATABASE_URL: database or service}
        told = {name: self._url_for(users.get(name, service), name) for name in USES[service]}
        if isinstance(server := self.servers.get(NATS_URL), Nats):
            told[NATS_NKEY] = str(server.seed_file_of(users[NATS_URL]) or "")
        for name in USES[service]:
            told |= self._files.get(name, {})
        return told

    def _url_for(self, user: str, variable: str) -> str:
        match self.servers.get(variable):
            case Nats() as server:
                return server.url_of(user)
            case Postgres() as server:
                return server.url_of(user=user)
            case _:
                return self.urls[variable]

    def _stop(self) -> None:
        """Stop the services, then the servers, those of each kind at the same time."""
        for parts in ([*self._replicas, *self.services.values()], list(self.servers.values())):
            with ThreadPoolExecutor(max_workers=8) as together:
                codes = list(together.map(lambda part: part.stop(), parts))
            self.killed += [
                part.process.name
                for part, code in zip(parts, codes, strict=True)
                if code == -signal.SIGKILL
            ]
