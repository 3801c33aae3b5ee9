"""What operators see of the outbox over HTTP, and what they do with parked events."""

from collections.abc import AsyncIterator

import httpx
import pytest
from comanda_local.ports import LOOPBACK, free_port
from ordering.bootstrap import bootstrap
from ordering.outbound.outbox import operate_routes
from ordering.settings import Settings
from pydantic import SecretStr
from sqlalchemy import text

from tests.ordering.conftest import Database
from tests.support.tokens import bearer

pytestmark = pytest.mark.servers

PARKED = "/v1/operate/parked-events"
PARK = text("""
    INSERT INTO parked_events (id, partition, aggregate, subject, headers, body, reason)
    SELECT n, 0, 'orders.a.' || n, 'orders.v1.a.' || n || '.placed',
           '{"ce-time": "2026-11-27T12:00:00+00:00"}', '{}', 'too large'
    FROM generate_series(1, 3) AS n
""")


@pytest.fixture
async def http(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """Ordering without NATS, so that what is released stays in the outbox; three are parked."""
    nowhere = SecretStr(f"nats://{LOOPBACK}:{free_port()}")
    app = bootstrap(Settings(database_url=SecretStr(database.url), nats_url=nowhere))
    async with database.engine.begin() as connection:
        await connection.execute(PARK)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=bearer(), timeout=60
        ) as http,
    ):
        yield http


async def waiting_and_parked(http: httpx.AsyncClient) -> tuple[int, int]:
    status = (await http.get("/v1/operate/outbox")).raise_for_status().json()
    assert (status["oldest_s"] > 0) == (status["waiting"] > 0)
    return status["waiting"], status["parked"]


async def test_parked_events_are_listed_in_pages_and_shown(http: httpx.AsyncClient) -> None:
    first = (await http.get(PARKED, params={"limit": 2})).json()
    second = (await http.get(PARKED, params={"limit": 2, "after": first["next"]})).json()
    shown = (await http.get(f"{PARKED}/2")).json()
    unknown = await http.get(f"{PARKED}/4")

    assert [each["number"] for each in (*first["events"], *second["events"])] == [1, 2, 3]
    assert (first["next"], second["next"]) == (2, None)
    assert (shown["reason"], shown["body"]) == ("too large", "{}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-event")


async def test_what_is_released_waits_to_be_published(http: httpx.AsyncClient) -> None:
    before = await waiting_and_parked(http)

    answer = await http.post(f"{PARKED}/release", json={"numbers": [2, 9]})

    assert answer.raise_for_status().json() == {"released": [2], "next": None}
    assert (before, await waiting_and_parked(http)) == ((0, 3), (1, 2))


async def test_all_are_released_in_portions(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate_routes, "CHOSEN_MAX", 2)

    first = (await http.post(f"{PARKED}/release", json={"reason": "too"})).json()
    rest = {"reason": "too", "after": first["next"]}
    second = (await http.post(f"{PARKED}/release", json=rest)).json()

    assert (first, second) == (
        {"released": [1, 2], "next": 2},
        {"released": [3], "next": None},
    )


async def test_a_reason_that_none_can_have_is_refused(http: httpx.AsyncClient) -> None:
    listed = await http.get(PARKED, params={"reason": "too\0large"})
    released = await http.post(f"{PARKED}/release", json={"reason": "too\0large"})

    assert (listed.status_code, released.status_code) == (422, 422)
    assert await waiting_and_parked(http) == (0, 3)
