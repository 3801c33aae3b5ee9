"""What is for operators is at a port of its own, and at the clients' there is nothing of it."""

import re
import sys
from functools import partial
from pathlib import Path

import httpx
import pytest
from comanda_local.ports import LOOPBACK, free_port
from comanda_local.processes import Child
from pydantic import SecretStr, ValidationError
from service_kit.http.admin_port import AdminPort
from service_kit.http.server import application
from service_kit.runtime.settings import ServiceSettings

ADMIN, CLIENTS = 9000, 8000
DOCUMENTS = ("/", "/docs", "/openapi.json")
SERVICE = """
from service_kit.http.server import application, serve
from service_kit.runtime.settings import ServiceSettings
serve(application("service", "", []), ServiceSettings())
"""


async def statuses(path: str, *, has_public_documents: bool = False) -> tuple[int, int]:
    """What is answered at the clients' port, and at the operators'."""
    app = application("service", "", [])

    @app.get("/v1/menu")
    async def menu() -> str:
        return "menu"

    @app.get("/added-later")
    async def added() -> str:
        return "for whom?"

    split = AdminPort(app, ADMIN, has_public_documents=has_public_documents)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(split)) as http:
        clients = await http.get(f"http://localhost:{CLIENTS}{path}")
        admin = await http.get(f"http://localhost:{ADMIN}{path}")
    return clients.status_code, admin.status_code


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/menu", (200, 404)),
        ("/metrics", (404, 200)),
        ("/%6detrics", (404, 200)),
        ("/v1/../metrics", (404, 200)),
        ("/health/live", (200, 200)),
        ("/added-later", (404, 200)),
        *((path, (404, 200)) for path in DOCUMENTS),
    ],
)
async def test_each_path_is_answered_at_the_port_that_it_is_for(
    path: str, expected: tuple[int, int]
) -> None:
    assert await statuses(path) == expected


@pytest.mark.parametrize("path", DOCUMENTS)
async def test_documents_are_for_clients_where_an_operator_says_so(path: str) -> None:
    assert await statuses(path, has_public_documents=True) == (200, 200)
    assert await statuses("/metrics", has_public_documents=True) == (404, 200)


@pytest.mark.parametrize(
    ("port", "links"),
    [
        (ADMIN, ["docs", "openapi.json", "asyncapi", "health/ready", "metrics"]),
        (CLIENTS, ["docs", "openapi.json", "asyncapi", "health/ready"]),
    ],
)
async def test_the_home_page_says_what_it_is_and_links_what_is_at_its_port(
    port: int, links: list[str]
) -> None:
    app = application("a <service>", "It serves & waits.", [])
    split = AdminPort(app, ADMIN, has_public_documents=True)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(split)) as http:
        page = await http.get(f"http://localhost:{port}/")

    assert page.headers["content-type"].startswith("text/html")
    assert re.findall(r'<a href="([^"]*)"', page.text) == links
    assert "<h1>a &lt;service&gt;</h1>\n<p>It serves &amp; waits.</p>" in page.text
    assert not re.search(r"://|<script|<style|src=", page.text)
    assert "/" not in app.openapi()["paths"]


async def test_the_home_page_of_a_service_with_one_port_links_all() -> None:
    app = httpx.ASGITransport(application("service", "", []))
    async with httpx.AsyncClient(transport=app, base_url="http://localhost") as http:
        page = await http.get("/")

    assert len(re.findall("<a ", page.text)) == 5


async def test_what_is_elsewhere_is_refused_as_what_is_nowhere() -> None:
    split = application("service", "", [])
    split.gates = [partial(AdminPort, port=ADMIN, has_public_documents=False)]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(split),
        base_url=f"http://localhost:{CLIENTS}",
        headers={"Request-Id": "question"},
    ) as http:
        hidden, nowhere = await http.get("/metrics"), await http.get("/v1/nothing")

    assert hidden.json() == nowhere.json() | {"instance": "/metrics"}
    assert hidden.headers["content-type"] == "application/problem+json"


def test_one_port_is_not_both() -> None:
    with pytest.raises(ValidationError, match="is COMANDA_HTTP_PORT"):
        ServiceSettings(nats_url=SecretStr("nats://a"), http_port=9000, admin_port=9000)


@pytest.mark.servers
def test_a_service_listens_at_both_ports_and_ends_in_order(tmp_path: Path) -> None:
    port, admin = free_port(), free_port()
    settings = {
        "COMANDA_NATS_URL": "nats://nowhere",
        "COMANDA_HTTP_HOST": LOOPBACK,
        "COMANDA_HTTP_PORT": str(port),
        "COMANDA_ADMIN_PORT": str(admin),
    }
    process = Child("service", [sys.executable, "-c", SERVICE], tmp_path, env=settings)
    process.start()
    process.wait_until(lambda: process.listens_on(port) and process.listens_on(admin), within=60)

    hidden = httpx.get(f"http://{LOOPBACK}:{port}/metrics", trust_env=False)
    shown = httpx.get(f"http://{LOOPBACK}:{admin}/metrics", trust_env=False)

    assert (hidden.status_code, shown.status_code) == (404, 200)
    assert process.stop() == 0
