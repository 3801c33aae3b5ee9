"""The images are built and run as they are meant to be: as nobody, on a read-only file system.

It needs docker or podman, and the base image or another in its place (COMANDA_BASE), so it runs
only by `make images`.
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

from tests.deploy.builds import image_builds
from tests.deploy.manifests import ROOT
from tests.deploy.programs import PAGES, SERVICES, STEPS, version_of
from tests.support.tokens import own_issuer

ENGINE = os.environ.get("COMANDA_CONTAINERS", "")
IS_PODMAN = "podman" in ENGINE
BASE = os.environ.get("COMANDA_BASE", "")
"""Stands for the base image where that can't be had, as `deploy/stand_in_base.sh` makes it."""
RESTRICTED = (
    *("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *(["--read-only-tmpfs=false"] if IS_PODMAN else []),  # by which /tmp is read-only, as Docker's
)
REVISION, SOURCE = "5eed", "https://git.example/comanda"

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


def build(name: str) -> str:
    """Build the image as it is baked. Returns its name."""
    baked = image_builds({"REGISTRY": "comanda", "REVISION": REVISION, "SOURCE": SOURCE})[name]
    args = dict(baked.args) | ({"PYTHON": BASE} if BASE else {})
    engine(
        *("build", "--network", "host", "--target", baked.target, "-t", image_of(name)),
        *(("--format", "docker") if IS_PODMAN else ()),  # which keeps the health check
        *(f"--build-arg={arg}={text}" for arg, text in args.items()),
        ROOT,
    )
    return name


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """The name of a service whose image was just built."""
    return build(request.param)


@pytest.fixture(scope="module", params=[*SERVICES, PAGES])
def image(request: pytest.FixtureRequest) -> str:
    """The name of anything of ours whose image was just built."""
    return build(request.param)


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


def test_an_image_says_what_it_is_and_has_nothing_to_install_with(image: str) -> None:
    (found,) = json.loads(engine("inspect", image_of(image)))
    said = found["Config"]["Labels"]
    tools = "import importlib.util as u; print([n for n in ('pip', 'ensurepip') if u.find_spec(n)])"
    sh = ("run", "--rm", "--network=host", *RESTRICTED, "--entrypoint")

    labels = {key.rpartition(".")[2]: text for key, text in said.items() if ".image." in key}
    assert (
        labels.items()
        >= {
            "version": version_of(image),
            "revision": REVISION,
            "source": SOURCE,
            "title": f"Comanda {image}",
        }.items()
    )
    assert engine(*sh, "python", image_of(image), "-c", tools) == "[]"
    written = (
        "sh",
        image_of(image),
        "-c",
        "touch /tmp/written 2>&1 || true; find /opt -name 'activate*'",
    )
    said = engine(*sh, *written)
    assert "Read-only file system" in said
    assert "activate" not in said


def test_a_change_of_code_leaves_third_parties_as_they_are(service: str) -> None:
    layers = layers_of(service)
    changed = ROOT / "services" / service / "src" / service / "changed_by_a_test.py"
    changed.write_text("# a comment\n")
    try:
        build(service)
    finally:
        changed.unlink()

    again = layers_of(service)

    assert len(again) == len(layers)
    assert [each for each in again if each not in layers] == again[-1:]


def layers_of(service: str) -> list[str]:
    (image,) = json.loads(engine("inspect", image_of(service)))
    return list(image["RootFS"]["Layers"])


def test_the_pages_are_served_on_a_read_only_file_system() -> None:
    port = str(free_port())
    told = ["-e", f"COMANDA_HTTP_PORT={port}", "-e", "COMANDA_HTTP_HOST=127.0.0.1"]
    container = engine("run", "-d", "--network=host", *RESTRICTED, *told, image_of(build(PAGES)))
    try:
        wait_until_ready(port)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/kitchen", timeout=5) as page:
            assert "<html" in page.read().decode()
        check_health(PAGES, container)
        engine("stop", "-t", "30", container)
        assert engine("inspect", "-f", "{{.State.ExitCode}}", container) == "0"
    finally:
        engine("rm", "-f", container)


def check_health(name: str, container: str) -> None:
    (image,) = json.loads(engine("inspect", image_of(name)))
    (kind, *check) = (image.get("Healthcheck") or image["Config"]["Healthcheck"])["Test"]
    assert kind == "CMD"
    engine("exec", container, *check)


def test_an_image_runs_as_nobody_and_is_healthy(service: str, environment: dict[str, str]) -> None:
    prepare(service, environment)
    with running(service, environment) as container:
        wait_until_ready(environment["COMANDA_HTTP_PORT"])

        check_health(service, container)
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
