"""One host with a path for each service, as the manifests have it: what leads back to it."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import Response
from service_kit.access.needs import PUBLIC
from service_kit.http.server import application, gates_of
from service_kit.runtime.settings import ServiceSettings

from tests.deploy.cluster import of_kind
from tests.deploy.manifests import KUBERNETES, Manifest, render

pytestmark = pytest.mark.programs

HOST = "api.comanda.example"
SERVICES = ("ordering", "serving", "query")
ANNOTATIONS = "nginx.ingress.kubernetes.io/"


@pytest.fixture(scope="module", params=["small", "production"])
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return render(KUBERNETES / "overlays" / request.param)


def settings_of(service: str, manifests: list[Manifest]) -> ServiceSettings:
    """The service's, as its ConfigMap has them."""
    (found,) = (
        each["data"]
        for each in of_kind(manifests, "ConfigMap")
        if re.fullmatch(rf"{service}-[a-z0-9]{{10}}", each["metadata"]["name"])
    )
    named = {name.removeprefix("COMANDA_").lower(): value for name, value in found.items()}
    known = {name: value for name, value in named.items() if name in ServiceSettings.model_fields}
    return ServiceSettings.model_validate({"nats_url": "nats://nats", **known})


class Gateway(httpx.AsyncBaseTransport):
    """Sends on what an ingress of the host takes, as ingress-nginx does."""

    def __init__(self, manifests: list[Manifest], apps: Mapping[str, Any]) -> None:
        self._apps = apps
        self._paths = [
            (each["metadata"]["annotations"], path)
            for each in of_kind(manifests, "Ingress")
            for rule in each["spec"]["rules"]
            if rule["host"] == HOST and each["metadata"]["name"] != "comanda-pages"
            for path in rule["http"]["paths"]
        ]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for annotations, path in self._paths:
            assert annotations[f"{ANNOTATIONS}use-regex"] == "true"
            if found := re.match(path["path"], request.url.path, re.IGNORECASE):
                target = annotations[f"{ANNOTATIONS}rewrite-target"].replace("$1", r"\1")
                request.url = request.url.copy_with(path=found.expand(target))
                prefix = annotations[f"{ANNOTATIONS}x-forwarded-prefix"]
                request.headers["X-Forwarded-Prefix"] = prefix
                app = self._apps[path["backend"]["service"]["name"]]
                return await httpx.ASGITransport(app).handle_async_request(request)
        return httpx.Response(404, text="of the gateway")


def service_of(name: str, settings: ServiceSettings) -> Any:
    """A service with a route that says where what it made is, at the port of clients."""
    app = application(name, "", [])

    @app.post("/v1/orders", status_code=201, dependencies=[PUBLIC])
    async def place() -> Response:
        return Response(status_code=201, headers={"Location": "/v1/orders/1"})

    @app.get("/v1/orders/1", dependencies=[PUBLIC])
    async def show() -> str:
        return name

    @app.get("/v1/orders", dependencies=[PUBLIC])
    async def found() -> Response:
        return Response("[]", headers={"Link": '<?after=1>; rel="next"'})

    app.gates = gates_of(settings)
    return app


@pytest.fixture
def http(manifests: list[Manifest]) -> httpx.AsyncClient:
    apps = {
        name: service_of(
            name,
            settings_of(name, manifests).model_copy(update={"admin_port": 0}),
        )
        for name in SERVICES
    }
    return httpx.AsyncClient(transport=Gateway(manifests, apps), base_url=f"https://{HOST}")


def test_the_pages_have_what_is_below_no_services_name(manifests: list[Manifest]) -> None:
    (rule,) = (
        rule
        for each in of_kind(manifests, "Ingress")
        if each["metadata"]["name"] == "comanda-pages"
        for rule in each["spec"]["rules"]
    )
    (path,) = rule["http"]["paths"]

    assert rule["host"] == HOST
    assert (path["path"], path["pathType"]) == ("/", "Prefix")
    assert path["backend"]["service"] == {"name": "pages", "port": {"name": "http"}}


@pytest.mark.parametrize("service", SERVICES)
async def test_each_service_has_its_path_and_where_it_leads_is_below_it(
    http: httpx.AsyncClient, service: str
) -> None:
    placed = await http.post(f"/{service}/v1/orders")
    shown = await http.get(placed.headers["location"])
    page = await http.get(f"/{service}/v1/orders")

    assert (placed.status_code, shown.json()) == (201, service)
    assert placed.headers["location"] == f"/{service}/v1/orders/1"
    assert urljoin(f"https://{HOST}/{service}/v1/orders", page.links["next"]["url"]) == (
        f"https://{HOST}/{service}/v1/orders?after=1"
    )


@pytest.mark.parametrize("service", SERVICES)
async def test_the_home_page_and_what_it_links_are_below_the_path(
    http: httpx.AsyncClient, service: str
) -> None:
    home = await http.get(f"/{service}/")
    links = re.findall(r'<a href="([^"]*)"', home.text)
    docs = await http.get(f"/{service}/docs")
    files = re.findall(r'(?:src|href)="(docs/[^"]*)"', docs.text)

    assert f"<h1>{service}</h1>" in home.text
    assert f"/{service}/docs" in links
    assert all(each.startswith(f"/{service}/") for each in links)
    assert files
    for file in files:
        assert (await http.get(urljoin(f"/{service}/docs", file))).status_code == 200
    document = await http.get(f"/{service}/openapi.json")
    (server,) = document.json()["servers"]
    assert urljoin(str(document.url), server["url"]).startswith("https://")


@pytest.mark.parametrize("path", ["/v1/orders", "/ordering", "/ordering/metrics", "/x/v1/orders"])
async def test_nothing_else_gets_to_a_service(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).text == "of the gateway"


async def test_a_service_at_a_host_of_its_own_knows_nothing_of_paths(
    manifests: list[Manifest],
) -> None:
    app = service_of("ordering", settings_of("ordering", manifests))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://orders.comanda.example:8000"
    ) as http:
        placed = await http.post("/v1/orders")

    assert placed.headers["location"] == "/v1/orders/1"
