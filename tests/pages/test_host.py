"""What the pages' host passes on to a service, and what it keeps to itself."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from comanda_local.api import Addresses
from comanda_local.folders import temporary_folder
from comanda_local.pages_host import PagesHost
from comanda_local.ports import LOOPBACK, free_port

pytestmark = pytest.mark.servers


class Echo(BaseHTTPRequestHandler):
    """A service that answers with the path and prefix that it was asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.headers['X-Forwarded-Prefix']} {self.path}".encode())

    def log_message(self, *_: object) -> None:
        """Nothing of it is of interest."""


@pytest.fixture(scope="module")
def passing() -> Iterator[PagesHost]:
    """A host, each service of which is an echo."""
    with ThreadingHTTPServer((LOOPBACK, 0), Echo) as service, temporary_folder() as folder:
        Thread(target=service.serve_forever, daemon=True).start()
        url = f"http://{LOOPBACK}:{service.server_port}"
        host = PagesHost(free_port(), folder, Addresses(url, url, url))
        host.start()
        yield host
        host.stop()
        service.shutdown()


def asked(host: PagesHost, path: str, **headers: str) -> httpx.Response:
    with httpx.Client(trust_env=False, headers=headers) as client:
        return client.get(f"http://{LOOPBACK}:{host.port}{path}")


@pytest.mark.parametrize("path", ["/v1/restaurants", "/docs", "/openapi.json", "/"])
def test_a_service_is_asked_below_its_name(passing: PagesHost, path: str) -> None:
    answer = asked(passing, f"/query{path}", **{"X-Forwarded-Prefix": "/elsewhere"})

    assert answer.text == f"/query {path}"


@pytest.mark.parametrize("path", ["/metrics", "/health/ready", "//metrics", "/v1/%2e%2e/metrics"])
def test_what_is_for_operators_machines_is_passed_to_nobody(passing: PagesHost, path: str) -> None:
    assert asked(passing, f"/query{path}").status_code == 404
