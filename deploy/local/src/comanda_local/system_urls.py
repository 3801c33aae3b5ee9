"""Where a running system is: written down by `comanda up`, found by the other commands."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import httpx

from comanda_local import access
from comanda_local.access import EVERYWHERE, Bearer, Issuer, TokenFile
from comanda_local.api import Addresses
from comanda_local.ports import LOOPBACK
from comanda_local.processes import CannotStart
from comanda_local.stack import DATABASE_URL, MONGODB_URL, NATS_URL, Stack

SYSTEM_FILE = "stack.json"

DEFAULT_PORTS = {"ordering": 8001, "serving": 8002, "query": 8003}
"""Where `comanda up` has the services, unless told otherwise."""
DEFAULT_NATS_PORT = 4222

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

    @classmethod
    def of(cls, stack: Stack) -> Self:
        services = {name: service.url for name, service in stack.services.items()}
        return cls(
            **services,
            nats=stack.urls[NATS_URL],
            database=stack.urls[DATABASE_URL],
            mongodb=stack.urls[MONGODB_URL],
            access=str(stack.issuer.jwks.parent),
        )

    @classmethod
    def find(cls, folder: Path, given: Mapping[str, str | None]) -> Self:
        """What is given, else what was written down in the folder, else the usual ports.

        Raises CannotStart if the database is not known by either.
        """
        usual = {name: f"http://{LOOPBACK}:{port}" for name, port in DEFAULT_PORTS.items()}
        usual["nats"] = f"nats://{LOOPBACK}:{DEFAULT_NATS_PORT}"
        usual["access"] = str(folder / access.FOLDER)
        file = folder / SYSTEM_FILE
        written = json.loads(file.read_text()) if file.exists() else {}
        urls = usual | written | {name: url for name, url in given.items() if url}
        if "database" not in urls:
            raise CannotStart(
                f"There is no running Comanda on {folder}: start it with `comanda up`, "
                f"give its folder with --data, or set {DATABASE_URL} and the other URLs."
            )
        return cls(**urls)

    @property
    def services(self) -> dict[str, str]:
        """The services' URLs by their names."""
        return {"ordering": self.ordering, "serving": self.serving, "query": self.query}

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
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(self), indent=2))
        return file


def find_nats(folder: Path, given: str | None) -> str | None:
    """The operator's URL of NATS that is given or was written down; None if neither is there."""
    file = folder / SYSTEM_FILE
    written: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    return given or written.get("nats")
