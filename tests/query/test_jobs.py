"""Audits, rebuilds and rollbacks are begun and looked at over HTTP, and refused as by command."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from comanda_contracts import Order
from comanda_contracts.streams import ORDERS, TICKETS
from comanda_local.servers import Nats
from pydantic import SecretStr
from query.bootstrap import Role
from query.maintenance.jobs.job import JobKind, JobReport, JobState
from query.maintenance.jobs.runner import JobRunner
from query.maintenance.jobs.store import COLLECTION, JobRunning, JobStore
from query.maintenance.session import OperatorSession, open_session
from query.storage.client import Database
from service_kit.nats.jetstream import connected

from tests.query.evenings import evening, orders_of
from tests.query.running import STREAMS, publish, quiet, running_service, set_up
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

JOBS = "/v1/operate/jobs"
LONGER_THAN_A_LEASE = timedelta(hours=1)


@pytest.fixture
def served(restaurant: str) -> list[Order]:
    return orders_of(restaurant, 4)


@pytest.fixture
async def session(
    nats_server: Nats, fresh_mongodb_url: str, restaurant: str, served: list[Order]
) -> AsyncIterator[OperatorSession]:
    """A system that has stored an evening, and answers for as long as the test lasts."""
    async with connected([nats_server.url], "test") as nats:
        await set_up(nats, *STREAMS)
        await publish(nats, *evening(restaurant, served))
        async with running_service(nats_server.url, fresh_mongodb_url, Role.PROJECTOR):
            await quiet(nats)
            async with open_session([nats_server.url], fresh_mongodb_url) as session:
                yield session


@pytest.fixture
async def http(
    session: OperatorSession, nats_server: Nats, fresh_mongodb_url: str
) -> AsyncIterator[httpx.AsyncClient]:
    """Query's API, which is told who operates it."""
    operator = SecretStr(nats_server.url)
    async with running_service(
        nats_server.url, fresh_mongodb_url, Role.API, operator_nats_url=operator
    ) as client:
        yield client


async def ended(http: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    """Begin a job, and wait until it has ended."""
    begun = await http.post(JOBS, json=wanted)
    assert begun.status_code == 202, begun.text

    async def job() -> dict[str, Any]:
        found: dict[str, Any] = (
            (await http.get(begun.headers["Location"])).raise_for_status().json()
        )
        return found

    return await eventually(job, lambda each: each["state"] != "running", within=60)


async def test_an_audit_finds_what_differs_and_repairs_it_if_it_is_told_to(
    http: httpx.AsyncClient, session: OperatorSession, served: list[Order]
) -> None:
    orders, order_id = session.generations.live.orders, str(served[0].order_id)
    before = await orders.find_one({"_id": order_id})
    await orders.update_one({"_id": order_id}, {"$set": {"order.total": 1}})

    looked = await ended(http, kind="audit", patience_s=0)
    repaired = await ended(http, kind="audit", repair=True, patience_s=0)
    in_step = await ended(http, kind="audit", patience_s=0)

    finding = {"document": f"orders/{order_id}", "defect": "altered", "fields": ["order.total"]}
    assert looked["findings"] == [finding | {"is_repaired": False}]
    assert repaired["findings"] == [finding | {"is_repaired": True}]
    assert [
        (each["state"], each["differences"], each["repaired"])
        for each in (looked, repaired, in_step)
    ] == [("done", 1, 0), ("done", 1, 1), ("done", 0, 0)]
    assert await orders.find_one({"_id": order_id}) == before
    assert in_step["by"]
    assert in_step["ended_at"] >= in_step["began_at"]
    listed = (await http.get(JOBS)).json()["jobs"]
    assert [each["number"] for each in listed] == [3, 2, 1]
    unknown = await http.get(f"{JOBS}/4")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-job")


async def test_views_are_made_anew_and_changed_back(
    http: httpx.AsyncClient, served: list[Order]
) -> None:
    rebuilt = await ended(http, kind="rebuild")
    rolled_back = await ended(http, kind="rollback")
    dropped = await ended(http, kind="drop")
    nothing_left = await ended(http, kind="rollback")

    assert (rebuilt["state"], rebuilt["differences"]) == ("done", 0)
    assert rebuilt["outcome"] == "Generation 2 is live; 1 is kept for a rollback."
    assert rebuilt["messages"] == rebuilt["messages_total"] >= len(served) * 6
    assert rolled_back["outcome"] == "Generation 1 is live; 2 is kept for a rollback."
    assert dropped["outcome"] == "Dropped: 2."
    assert (nothing_left["state"], nothing_left["outcome"]) == (
        "failed",
        "There is no previous generation to go back to.",
    )


async def test_what_nothing_explains_is_destroyed_by_its_number_alone(
    http: httpx.AsyncClient, session: OperatorSession, served: list[Order]
) -> None:
    orders = session.generations.live.orders
    for stream in (ORDERS, TICKETS):
        await session.js.purge_stream(stream.name)
    audit = partial(ended, http, kind="audit", repair=True, patience_s=0)

    refused = await audit()
    too_few = await audit(yes_really=len(served) - 1)
    left = await orders.count_documents({})
    done = await audit(yes_really=len(served))

    assert [each["state"] for each in (refused, too_few, done)] == ["failed", "failed", "done"]
    assert "messages of ORDERS are gone" in refused["outcome"]
    assert (refused["consent"], done["consent"]) == (len(served), None)
    assert (left, await orders.count_documents({})) == (len(served), 0)


async def test_a_job_is_refused_while_one_is_alive_anywhere(
    http: httpx.AsyncClient, session: OperatorSession
) -> None:
    store = JobStore(session.database)
    other = await store.claim(JobKind.REBUILD, "olga")

    refused = await http.post(JOBS, json={"kind": "audit"})
    seen = (await http.get(f"{JOBS}/{other.number}")).json()
    await make_old(session.database)
    gone = (await http.get(f"{JOBS}/{other.number}")).json()
    after = await ended(http, kind="audit", patience_s=0)

    assert (refused.status_code, refused.json()["code"]) == (409, "job-running")
    assert [each["state"] for each in (seen, gone, after)] == ["running", "interrupted", "done"]


async def test_nothing_is_begun_where_nobody_operates_the_service(
    session: OperatorSession, nats_server: Nats, fresh_mongodb_url: str
) -> None:
    async with running_service(nats_server.url, fresh_mongodb_url, Role.API) as http:
        refused = await http.post(JOBS, json={"kind": "rebuild"})
        listed = await http.get(JOBS)

    assert (refused.status_code, refused.json()["code"]) == (503, "not-operable")
    assert listed.json() == {"jobs": []}


async def make_old(database: Database) -> None:
    """Have the job that runs be one that was not heard of for long."""
    jobs = database[COLLECTION]
    [known] = await jobs.find().to_list()
    await jobs.update_one({}, {"$set": {"beat_at": known["beat_at"] - LONGER_THAN_A_LEASE}})


def silent(failing: str | None = None) -> None:
    """Nobody is told how the component is."""


async def test_a_job_goes_on_without_whoever_asked_and_ends_with_its_process(
    session: OperatorSession, database: Database
) -> None:
    began, store = asyncio.Event(), JobStore(database)

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[OperatorSession]:
        yield session

    async def endless(_: OperatorSession, report: JobReport) -> str:
        report.documents = 7
        began.set()
        await asyncio.Event().wait()
        return ""

    async def counted() -> int:
        return (await store.jobs())[0].report.documents

    runner = JobRunner(opened)
    process = asyncio.create_task(runner.run(silent))
    asking = asyncio.create_task(runner.begin(JobKind.AUDIT, "olga", endless))
    await began.wait()
    asking.cancel()

    await eventually(counted, lambda count: count == 7)
    with pytest.raises(JobRunning):
        await runner.begin(JobKind.AUDIT, "otto", endless)
    process.cancel()
    await asyncio.wait([process])
    await make_old(database)

    assert [each.state for each in await store.jobs()] == [JobState.INTERRUPTED]
