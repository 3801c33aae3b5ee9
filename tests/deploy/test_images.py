"""The images are built and run as they are meant to be: as nobody, on a read-only file system.

It needs docker or podman, and the base image, so it runs only by `make images`.
"""

import asyncio
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from comanda_contracts.streams import MENU, ORDERS, RESTAURANTS, TICKETS
from comanda_local.ports import free_port
from service_kit.nats.jetstream import connected, jetstream
from service_kit.nats.set_up import set_up_stream

from tests.deploy.manifests import ROOT
from tests.deploy.programs import SERVICES, STEPS, version_of
from tests.support.tokens import own_issuer

ENGINE = os.environ.get("COMANDA_CONTAINERS", "")
RESTRICTED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")

pytestmark = [
    pytest.mark.skipif(not ENGINE, reason="run by `make images`: needs docker or podman"),
    pytest.mark.timeout(900),
]


def engine(*arguments: str | Path) -> str:
    done = subprocess.run([ENGINE, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def image_of(service: str) -> str:
    return f"comanda/{service}:{version_of(service)}"


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """The name of a service whose image was just built."""
    name: str = request.param
    dockerfile = ROOT / "services" / name / "Dockerfile"
    format_ = ("--format", "docker") if "podman" in ENGINE else ()  # which keeps the health check
    engine("build", "--network", "host", *format_, "-f", dockerfile, "-t", image_of(name), ROOT)
    return name


@pytest.fixture
def environment(nats_url: str, mongodb_url: str, postgres_url: str) -> dict[str, str]:
    """The embedded servers; PostgreSQL's socket is opened to the container's user."""
    folder = Path(parse_qs(urlsplit(postgres_url).query)["host"][0])
    folder.chmod(0o711)
    return {
        "COMANDA_NATS_URL": nats_url,
        "COMANDA_MONGODB_URL": mongodb_url,
        "COMANDA_DATABASE_URL": postgres_url,
        **own_issuer().environment,
        "COMANDA_JWKS": "/etc/comanda/jwks.json",
        "COMANDA_HTTP_HOST": "127.0.0.1",
        "COMANDA_HTTP_PORT": str(free_port()),
    }


def options(environment: dict[str, str]) -> list[str]:
    folder = parse_qs(urlsplit(environment["COMANDA_DATABASE_URL"]).query)["host"][0]
    given = [part for name, text in environment.items() for part in ("-e", f"{name}={text}")]
    jwks = own_issuer().jwks
    jwks.chmod(0o644)  # as `comanda token --init` makes it: the container's user is another
    volumes = [f"--volume={folder}:{folder}", f"--volume={jwks}:/etc/comanda/jwks.json:ro"]
    return ["--network=host", *volumes, *RESTRICTED, *given]


@contextmanager
def running(service: str, environment: dict[str, str]) -> Iterator[str]:
    """The id of a container that runs the service."""
    container = engine("run", "-d", *options(environment), image_of(service))
    try:
        yield container
    finally:
        engine("rm", "-f", container)


def prepare(service: str, environment: dict[str, str]) -> None:
    """Run the steps that come before the service; the streams of other services are there."""
    asyncio.run(_make_streams(environment["COMANDA_NATS_URL"]))
    for step in STEPS[service]:
        engine("run", "--rm", *options(environment), image_of(service), step)


async def _make_streams(nats_url: str) -> None:
    async with connected([nats_url], "test") as client:
        for stream in (ORDERS, RESTAURANTS, MENU, TICKETS):
            await set_up_stream(jetstream(client), stream, replicas=1)


def wait_until_ready(port: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2)
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("was not ready within a minute")


def test_an_image_runs_as_nobody_and_is_healthy(service: str, environment: dict[str, str]) -> None:
    prepare(service, environment)
    with running(service, environment) as container:
        wait_until_ready(environment["COMANDA_HTTP_PORT"])

        (image,) = json.loads(engine("inspect", image_of(service)))
        (kind, *check) = (image.get("Healthcheck") or image["Config"]["Healthcheck"])["Test"]
        assert kind == "CMD"
        engine("exec", container, *check)
        assert engine("exec", container, "id", "-u") == "10001"


def test_an_image_stops_in_order(service: str, environment: dict[str, str]) -> None:
    prepare(service, environment)
    with running(service, environment) as container:
        wait_until_ready(environment["COMANDA_HTTP_PORT"])

        engine("stop", "-t", "30", container)

        assert engine("inspect", "-f", "{{.State.ExitCode}}", container) == "0"


def test_an_image_without_its_settings_says_which(service: str) -> None:
    done = subprocess.run(
        [ENGINE, "run", "--rm", "--network=host", *RESTRICTED, image_of(service)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "COMANDA_NATS_URL: Field required" in done.stderr
