"""Each service says what its environment lacks, in a line, and never what is secret in it."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from comanda_local.ports import LOOPBACK, free_port
from comanda_local.processes import Child

SECRET = "hunter2"
NEEDS = {
    "ordering": {"COMANDA_NATS_URL": "nats", "COMANDA_DATABASE_URL": "postgresql+asyncpg"},
    "serving": {"COMANDA_NATS_URL": "nats"},
    "query": {"COMANDA_NATS_URL": "nats", "COMANDA_MONGODB_URL": "mongodb"},
}
"""The URLs of each service, with their schemes."""
ACCESS = {"COMANDA_JWKS": "/etc/comanda/jwks.json", "COMANDA_ISSUER": "https://login.example"}
WRONG = {
    "COMANDA_HTTP_PORT": "eighty",
    "COMANDA_LOG_LEVEL": "loud",
    "COMANDA_STREAM_REPLICAS": "0",
    "COMANDA_DRAIN_SECONDS": "-1",
}
SERVICES = list(NEEDS)

pytestmark = pytest.mark.servers


def urls(service: str) -> dict[str, str]:
    """URLs with a password, of servers that are away."""
    return {
        name: f"{scheme}://{service}:{SECRET}@{LOOPBACK}:{free_port()}/comanda"
        for name, scheme in NEEDS[service].items()
    }


def run(service: str, settings: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if "COMANDA" not in name}
    command = [sys.executable, "-P", "-m", service]
    return subprocess.run(
        command, env=inherited | settings, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_missing_is_named_and_the_service_does_not_start(service: str) -> None:
    outcome = run(service, {})

    assert outcome.returncode == 2
    said = [line.partition(":")[0] for line in outcome.stderr.splitlines()]
    assert sorted(said) == sorted([*NEEDS[service], *ACCESS])


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_wrong_is_named_and_not_shown(service: str) -> None:
    wrong_urls = dict.fromkeys(NEEDS[service], f"redis://user:{SECRET}@host")

    outcome = run(service, wrong_urls | WRONG | dict.fromkeys(ACCESS, ""))

    assert outcome.returncode == 2
    said = [line.partition(":")[0] for line in outcome.stderr.splitlines()]
    assert sorted(said) == sorted([*NEEDS[service], *WRONG, *ACCESS])
    assert SECRET not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_password_is_not_in_the_logs_of_a_service_whose_servers_are_away(
    service: str, tmp_path: Path
) -> None:
    port = free_port()
    settings = {
        "COMANDA_HTTP_HOST": LOOPBACK,
        "COMANDA_HTTP_PORT": str(port),
        "COMANDA_LOG_LEVEL": "DEBUG",
    }
    command = [sys.executable, "-P", "-m", service]
    process = Child(service, command, tmp_path, env=urls(service) | ACCESS | settings)
    process.start()

    process.wait_until(lambda: "nats" in process.log.read_text().lower(), within=60)
    process.wait_until(lambda: process.listens_on(port), within=60)
    states = httpx.get(f"http://{LOOPBACK}:{port}/health/ready", trust_env=False).text
    process.stop()

    assert SECRET not in process.log.read_text()
    assert SECRET not in states
