"""Components are kept running, and readiness follows them."""

import asyncio
import contextlib

import httpx
from service_kit.http.server import application
from service_kit.runtime.components import Component, Ready, running


async def test_a_component_that_fails_is_started_again() -> None:
    attempts = 0
    recovered = asyncio.Event()

    async def flaky(ready: Ready) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise ConnectionError("not there yet")
        ready()
        recovered.set()
        await asyncio.Event().wait()

    component = Component("flaky", flaky)
    async with running([component]):
        await asyncio.wait_for(recovered.wait(), 60)

        assert component.ready
        assert attempts == 3


async def test_leaving_ends_the_components() -> None:
    ended = asyncio.Event()
    started = asyncio.Event()

    async def endless(_: Ready) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with running([Component("endless", endless)]):
        await started.wait()

    assert ended.is_set()


async def test_a_component_that_misses_being_cancelled_once_is_cancelled_again() -> None:
    started = asyncio.Event()

    async def absent_minded(_: Ready) -> None:
        started.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async with asyncio.timeout(60):
        async with running([Component("absent-minded", absent_minded)]):
            await started.wait()


async def test_a_service_is_ready_when_its_required_components_are() -> None:
    async def never(_: Ready) -> None:
        raise ConnectionError

    store = Component("store", never)
    app = application("test", "", [store, Component("broker", never, required=False)])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        before = await http.get("/health/ready")
        store.show("ready")
        after = await http.get("/health/ready")
        metrics = (await http.get("/metrics")).text

        assert (before.status_code, after.status_code) == (503, 200)
        assert (before.json()["status"], after.json()["status"]) == ("not ready", "degraded")
        assert 'comanda_component_ready{component="store",required="true"} 1.0' in metrics
        assert after.json()["components"] == {"store": "ready", "broker": "starting"}
        assert (await http.get("/health/live")).status_code == 200
