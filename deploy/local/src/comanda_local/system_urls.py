"""Where a running system is: written down by `comanda up`, found by the other commands."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from comanda_local import access
from comanda_local.access import EVERYWHERE, Bearer, Issuer, TokenFile
from comanda_local.api import Addresses
from comanda_local.folders import replace_file
from comanda_local.ports import LOOPBACK
from comanda_local.processes import CannotStart
from comanda_local.server_files import files_beside
from comanda_local.stack import DATABASE_URL, MONGODB_URL, NATS_URL, Stack

SYSTEM_FILE = "stack.json"

DEFAULT_PORTS = {"ordering": 8001, "serving": 8002, "query": 8003}
"""Where `comanda up` has the services, unless told otherwise."""
DEFAULT_NATS_PORT = 4222
DEFAULT_PAGES_PORT = 8000

SUBJECT = "comanda"
OPERATOR = {EVERYWHERE: ("manager", "operator")}
"""What the commands of this package do, and so may."""


@dataclass(frozen=True, slots=True)
class SystemUrls:
    """URLs of the services and of the servers that the audits read, and who may use them."""

    ordering: str
    serving: str
    query: str
    nats: str
    database: str
    mongodb: str = ""
    access: str = ""
    """Folder of the key that signs tokens."""
    token_file: str = ""
    """File of a token that somebody else renews, used instead."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files of TLS and keys for the servers, by the names of their variables."""

    @classmethod
    def of(cls, stack: Stack) -> Self:
        services = {name: service.url for name, service in stack.services.items()}
        return cls(
            **services,
            nats=stack.urls[NATS_URL],
            database=stack.urls[DATABASE_URL],
            mongodb=stack.urls[MONGODB_URL],
            access=str(stack.issuer.jwks.parent),
            files=stack.files,
        )

    @classmethod
    def find(
        cls, folder: Path, given: Mapping[str, str | None], *, with_database: bool = True
    ) -> Self:
        """What is given, else what was written down in the folder, else the usual ports.

        Beside a server's URL that is given, its files are those of our environment.
        Raises CannotStart if the database is needed and not known by either.
        """
        usual = {name: f"http://{LOOPBACK}:{port}" for name, port in DEFAULT_PORTS.items()}
        usual["nats"] = f"nats://{LOOPBACK}:{DEFAULT_NATS_PORT}"
        usual["access"] = str(folder / access.FOLDER)
        file = folder / SYSTEM_FILE
        written = json.loads(file.read_text()) if file.exists() else {}
        urls = usual | written | {name: url for name, url in given.items() if url}
        if with_database and "database" not in urls:
            raise CannotStart(
                f"There is no running Comanda on {folder}: start it with `comanda up`, "
                f"give its folder with --data, or set {DATABASE_URL} and the other URLs."
            )
        files = written_files(written, given)
        return cls(**{**urls, "database": urls.get("database", ""), "files": files})

    @property
    def services(self) -> dict[str, str]:
        """The services' URLs by their names."""
        return {"ordering": self.ordering, "serving": self.serving, "query": self.query}

    @property
    def nats_address(self) -> str:
        """The URLs of the NATS servers, without user and password: what may be shown."""
        urls = map(urlsplit, self.nats.split(","))
        return ",".join(f"{url.scheme}://{url.netloc.rpartition('@')[2]}" for url in urls)

    @property
    def addresses(self) -> Addresses:
        return Addresses(**self.services)

    def auth(self) -> httpx.Auth:
        """Who we are to the services. Raises CannotStart if there is neither token nor key."""
        if self.token_file:
            return TokenFile(Path(self.token_file))
        return Bearer(Issuer.found_in(Path(self.access)), OPERATOR, subject=SUBJECT)

    def save(self, folder: Path) -> Path:
        """Write it to the folder, for its owner only: a URL may hold a password."""
        file = folder / SYSTEM_FILE
        replace_file(file, json.dumps(asdict(self), indent=2).encode(), mode=0o600)
        return file


def find_nats(folder: Path, given: str | None) -> tuple[str | None, dict[str, str]]:
    """The operator's URL of NATS that is given or was written down, and the files beside it.

    The URL is None if neither is there.
    """
    file = folder / SYSTEM_FILE
    written = json.loads(file.read_text()) if file.exists() else {}
    return given or written.get("nats"), written_files(written, {"nats": given})


def written_files(written: Mapping[str, Any], given: Mapping[str, str | None]) -> dict[str, str]:
    """The files that were written down; of servers whose URLs are given, our environment's."""
    servers = {"nats": NATS_URL, "database": DATABASE_URL, "mongodb": MONGODB_URL}
    files: dict[str, str] = {}
    for name, variable in servers.items():
        source = os.environ if given.get(name) else written.get("files", {})
        files |= files_beside(variable, source)
    return files
