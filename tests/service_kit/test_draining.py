"""A service that is told to end says so, serves on for a while, and answers all it has begun."""

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from comanda_local.ports import LOOPBACK, free_port
from comanda_local.processes import Child

pytestmark = pytest.mark.servers

LONG, SHORT = 60.0, 0.5
"""Seconds to serve on."""
SERVICE = """
import asyncio
from service_kit.http.server import application, serve
from service_kit.runtime.settings import ServiceSettings
from service_kit.http.sse import EventStream

ended, asked = asyncio.Event(), asyncio.Event()
app = application("slow", "", [], on_shutdown=[ended.set])

@app.get("/slow")
async def slow() -> str:
    asked.set()
    await ended.wait()
    await asyncio.sleep(0.3)
    return "answered"

@app.get("/asked")
async def was_asked() -> None:
    await asked.wait()

@app.get("/live")
async def live() -> EventStream:
    async def events():
        yield b"data: 1\\n\\n"
        await ended.wait()
    return EventStream(events())

serve(app, ServiceSettings())
"""


@pytest.fixture(params=[LONG])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Child, httpx.Client]]:
    port = free_port()
    settings = {
        "COMANDA_NATS_URL": "nats://nowhere",
        "COMANDA_HTTP_HOST": LOOPBACK,
        "COMANDA_HTTP_PORT": str(port),
        "COMANDA_DRAIN_SECONDS": str(request.param),
    }
    process = Child("slow", [sys.executable, "-c", SERVICE], tmp_path, env=settings)
    process.start()
    process.wait_until(lambda: process.listens_on(port), within=60)
    with httpx.Client(base_url=f"http://{LOOPBACK}:{port}", trust_env=False, timeout=30) as http:
        yield process, http
    process.kill()


def is_ready(http: httpx.Client) -> bool:
    return http.get("/health/ready").is_success


def test_it_is_not_ready_any_more_but_answers_for_the_last_time(
    service: tuple[Child, httpx.Client],
) -> None:
    process, http = service
    before = http.get("/health/ready")

    os.kill(process.pid, signal.SIGTERM)
    process.wait_until(lambda: not is_ready(http), within=30)
    last = http.get("/health/ready")

    assert "connection" not in before.headers
    assert last.json()["status"] == "leaving"
    assert last.headers["connection"] == "close"
    assert process.stop() == 0


@pytest.mark.parametrize("service", [SHORT], indirect=True)
def test_what_it_has_begun_it_answers_and_what_is_live_comes_to_its_end(
    service: tuple[Child, httpx.Client],
) -> None:
    process, http = service
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(http.get, "/slow")
        live = pool.submit(http.get, "/live")
        http.get("/asked")

        os.kill(process.pid, signal.SIGTERM)

        assert (slow.result().status_code, slow.result().json()) == (200, "answered")
        assert live.result().text.endswith("\ndata: 1\n\n")
    process.wait_until(lambda: not process.alive, within=30)
    assert process.exit_code == 0


def test_whoever_is_in_a_hurry_says_so_twice(service: tuple[Child, httpx.Client]) -> None:
    process, http = service

    os.kill(process.pid, signal.SIGTERM)
    process.wait_until(lambda: not is_ready(http), within=30)
    os.kill(process.pid, signal.SIGTERM)

    process.wait_until(lambda: not process.alive, within=30)
    assert process.exit_code == 0
