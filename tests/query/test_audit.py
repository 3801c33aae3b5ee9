"""The audit finds every kind of drift in the read store, and repairs just that."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest
from bson import ObjectId
from comanda_contracts import Order
from comanda_contracts.streams import ARCHIVES, ORDERS, TICKETS
from comanda_local.servers import Nats
from pymongo.monitoring import CommandListener, CommandSucceededEvent
from query.bootstrap import Role
from query.maintenance import audit as auditor
from query.maintenance.audit import CONCURRENT_INSPECTIONS, AuditProgress, audit
from query.maintenance.document_kinds import (
    ORDER_DOCUMENTS,
    RESTAURANT_DOCUMENTS,
    expected_document,
)
from query.maintenance.fingerprints import Fingerprints
from query.maintenance.published import PublishedFingerprints
from query.maintenance.repair import repair
from query.maintenance.session import OperatorSession, open_session
from query.storage.client import CHUNK_DOCUMENTS, Client
from query.storage.generations import Generation
from query.storage.orders.store import MongoOrders
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_archive

from tests.query.builders import an_order, placed
from tests.query.conftest import store
from tests.query.evenings import evening, orders_of, whole_course
from tests.query.operators import run
from tests.query.running import STREAMS, publish, quiet, running_service, set_up
from tests.support.eventually import eventually

REPAIR_NOW = ("audit", "--repair", "--patience", "0")

Found = list[tuple[str, str, str]]
"""Collection, `_id` and what is wrong."""


@pytest.fixture
def served(restaurant: str) -> list[Order]:
    return orders_of(restaurant, 12)


@pytest.fixture
async def session(
    nats_server: Nats, fresh_mongodb_url: str, restaurant: str, served: list[Order]
) -> AsyncIterator[OperatorSession]:
    """A system whose projector has stored an evening, and was stopped then."""
    async with connected([nats_server.url], "test") as nats:
        await set_up(nats, *STREAMS)
        await publish(nats, *evening(restaurant, served))
        async with running_service(nats_server.url, fresh_mongodb_url, Role.PROJECTOR):
            await quiet(nats)
    async with open_session([nats_server.url], fresh_mongodb_url) as session:
        yield session


async def found(session: OperatorSession, *, stall_timeout_s: float = 0.0) -> Found:
    async with aclosing(
        audit(session, AuditProgress(), lambda _: None, stall_timeout_s=stall_timeout_s)
    ) as differences:
        return sorted([(each.kind.name, each.key, str(each.defect)) async for each in differences])


async def test_a_store_that_is_in_step_has_no_difference(session: OperatorSession) -> None:
    progress = AuditProgress()

    async with aclosing(audit(session, progress, lambda _: None, stall_timeout_s=0)) as differences:
        assert [each async for each in differences] == []

    assert (progress.events, progress.documents) == (12 * 6 + 3, 12 + 3)


async def test_planted_drift_of_every_kind_is_found_and_repaired_and_nothing_else_is_touched(
    session: OperatorSession,
    nats_server: Nats,
    fresh_mongodb_url: str,
    restaurant: str,
    served: list[Order],
) -> None:
    live = session.generations.live
    before = {each["_id"]: each async for each in live.orders.find()}
    ids = [str(order.order_id) for order in served]
    orphan = an_order(restaurant=restaurant)
    await live.orders.delete_one({"_id": ids[0]})
    await live.orders.update_one({"_id": ids[1]}, {"$set": {"order.version": 1}})
    await live.orders.update_one({"_id": ids[2]}, {"$set": {"tickets.1.version": 3}})
    await live.orders.update_one({"_id": ids[3]}, {"$set": {"order.total": 1}})
    await live.orders.update_one({"_id": ids[4]}, {"$set": {"status": "preparing"}})
    await live.orders.update_one({"_id": ids[5]}, {"$unset": {"timeline.serving-1-2": 1}})
    await live.orders.update_one({"_id": ids[6]}, {"$set": {"timeline.ordering-1.actor": "Eve"}})
    await live.orders.update_one({"_id": ids[7]}, {"$set": {"order.version": 9}})
    await live.orders.update_one({"_id": ids[8]}, {"$set": {"tickets": "broken", "more": 1}})
    await live.orders.update_one({"_id": ids[9]}, {"$unset": {"order": 1}})
    await store(MongoOrders(session.generations), placed(orphan))
    await live.menu.delete_one({"_id": f"{restaurant}/tea"})
    await live.menu.update_one({"_id": f"{restaurant}/cake"}, {"$set": {"state.price": 1}})
    await live.menu.insert_one({"_id": "a/b", "restaurant": "a", "state": {"version": 1}})
    await live.restaurants.update_one({"_id": restaurant}, {"$set": {"state.name": "Eve's"}})
    planted = sorted(
        [
            ("orders", ids[0], "missing"),
            ("orders", ids[1], "stale"),
            ("orders", ids[2], "stale"),
            ("orders", ids[3], "altered"),
            ("orders", ids[4], "altered"),
            ("orders", ids[5], "incomplete"),
            ("orders", ids[6], "altered"),
            ("orders", ids[7], "altered"),
            ("orders", ids[8], "altered"),
            ("orders", ids[9], "stale"),
            ("orders", str(orphan.order_id), "orphan"),
            ("menu", f"{restaurant}/tea", "missing"),
            ("menu", f"{restaurant}/cake", "altered"),
            ("menu", "a/b", "orphan"),
            ("restaurants", restaurant, "altered"),
        ]
    )

    outcome = await run((nats_server.url, fresh_mongodb_url), "audit", "--json", "--patience", "0")

    assert outcome.code == 1, outcome.notes
    told = [json.loads(line) for line in outcome.output.splitlines()]
    assert sorted((each["collection"], each["id"], each["what"]) for each in told) == planted
    total = next(each for each in told if each["id"] == ids[3])["fields"]
    assert total == [{"path": "order.total", "published": 1700, "stored": 1}]

    for form in ((), ("--json",)):
        logged = await run(
            (nats_server.url, fresh_mongodb_url), "audit", "--without-values", *form, "--patience=0"
        )
        assert "order.total" in logged.output
        assert "timeline.ordering-1.actor" in logged.output
        assert "Eve" not in logged.output + logged.notes

    outcome = await run((nats_server.url, fresh_mongodb_url), "audit", "--repair")

    assert outcome.code == 0, outcome.notes
    assert outcome.output.count(", repaired") == len(planted)
    assert await found(session) == []
    assert {each["_id"]: each async for each in live.orders.find()} == before


async def test_a_repair_destroys_what_the_streams_do_not_explain_by_its_number_alone(
    session: OperatorSession, nats_server: Nats, fresh_mongodb_url: str, served: list[Order]
) -> None:
    servers, orders = (nats_server.url, fresh_mongodb_url), session.generations.live.orders
    for stream in (ORDERS, TICKETS):
        await session.js.purge_stream(stream.name)

    refused = await run(servers, *REPAIR_NOW)
    left = await orders.count_documents({})
    too_few = str(len(served) - 1)
    refused_again = await run(servers, *REPAIR_NOW, "--yes-really", too_few)
    left_again = await orders.count_documents({})
    done = await run(servers, *REPAIR_NOW, "--yes-really", str(len(served)))

    assert (refused.code, refused_again.code, done.code) == (1, 1, 0), done.notes
    assert "messages of ORDERS are gone" in refused.notes
    assert f"--yes-really {len(served)}" in refused.notes
    assert (left, left_again) == (len(served), len(served))
    assert await orders.count_documents({}) == 0


async def test_what_is_on_its_way_is_no_difference(
    session: OperatorSession, nats_server: Nats, fresh_mongodb_url: str, restaurant: str
) -> None:
    late = whole_course(an_order(restaurant=restaurant))
    await publish(session.nats, *late)
    assert [what for _, _, what in await found(session)] == ["missing"]

    auditing = asyncio.create_task(found(session, stall_timeout_s=60))
    async with running_service(nats_server.url, fresh_mongodb_url, Role.PROJECTOR):
        assert await auditing == []


async def test_a_repair_loses_nothing_that_is_projected_at_the_same_time(
    session: OperatorSession, restaurant: str
) -> None:
    """Merges and repairs of one order race; in the end it is what the streams say."""
    live, orders = session.generations.live, MongoOrders(session.generations)
    for _ in range(10):
        course = whole_course(an_order(restaurant=restaurant))
        order_id = course[0].key
        await publish(session.nats, *course[:3])
        await store(orders, *course[:2])  # type: ignore[arg-type]

        async def go_on() -> None:
            for event in course[2:]:  # noqa: B023 - awaited below
                await publish(session.nats, event)
                await store(orders, event)  # type: ignore[arg-type]

        repaired, _ = await asyncio.gather(
            repair(session, live, ORDER_DOCUMENTS, order_id), go_on()
        )

        assert repaired
        stored = await live.orders.find_one({"_id": order_id})
        assert stored == expected_document(ORDER_DOCUMENTS, course)


class TakenKeys(PublishedFingerprints):
    """Counts how many documents were taken of what is published."""

    taken = 0

    def by_key(self) -> Iterator[tuple[str, Fingerprints]]:
        for each in super().by_key():
            self.taken += 1
            yield each


class OpenCursors(CommandListener):
    """How often an answer left something to be fetched later."""

    def __init__(self) -> None:
        self.count = 0

    def started(self, event: object) -> None: ...

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self.count += bool(event.reply.get("cursor", {}).get("id"))

    def failed(self, event: object) -> None: ...


async def suspects(
    generation: Generation, published: PublishedFingerprints
) -> AsyncIterator[list[str]]:
    kind, progress = RESTAURANT_DOCUMENTS, AuditProgress()
    found = auditor._suspects(generation, kind, published, progress, lambda _: None)
    async with aclosing(auditor._some_together(found)) as keys:
        async for some in keys:
            yield some


async def test_documents_are_inspected_while_the_rest_is_looked_for_and_no_cursor_waits(
    fresh_mongodb_url: str,
) -> None:
    """As after the loss of all that was stored, when only what comes since is there."""
    missing = [f"a{number:05}" for number in range(1000)]
    stored = [f"b{number:05}" for number in range(3 * CHUNK_DOCUMENTS)]
    cursors = OpenCursors()
    async with Client(fresh_mongodb_url, event_listeners=[cursors]) as client:
        generation = Generation(client.get_default_database(), 1)
        await generation.restaurants.insert_many([{"_id": key} for key in stored])
        with TakenKeys() as published:
            published.keep_newest((key, {"state": (1, 1)}) for key in missing)
            seen: list[str] = []

            async for some in suspects(generation, published):
                seen += some
                assert len(some) <= CONCURRENT_INSPECTIONS
                assert published.taken <= len(seen) + 1

    assert seen == missing + stored
    assert cursors.count == 0


async def test_keys_of_every_type_are_gone_through_once(fresh_mongodb_url: str) -> None:
    count = 2 * CHUNK_DOCUMENTS
    keys: list[Any] = [*range(count), *(f"{number:05}" for number in range(count))]
    keys += sorted(ObjectId() for _ in range(count))
    async with Client(fresh_mongodb_url) as client:
        generation = Generation(client.get_default_database(), 1)
        await generation.restaurants.insert_many([{"_id": key} for key in keys])
        with PublishedFingerprints() as published:
            seen = [key async for some in suspects(generation, published) for key in some]

    assert seen == keys


async def test_a_repaired_order_is_counted_in_the_sales_again(
    session: OperatorSession, served: list[Order]
) -> None:
    live, order_id = session.generations.live, str(served[0].order_id)
    await live.sales_days.update_many({}, {"$unset": {"dirty": 1}})
    await live.orders.delete_one({"_id": order_id})

    assert await repair(session, live, ORDER_DOCUMENTS, order_id)

    assert await live.sales_days.count_documents({"dirty": True}) == 1


async def _reaches(session: OperatorSession, name: str, end: int) -> bool:
    return (await session.js.stream_info(name)).state.last_seq == end


async def archived(session: OperatorSession, *, hot: int) -> None:
    """Both streams have archives, and only their last messages are still on them."""
    for archive in ARCHIVES:
        await set_up_archive(session.js, archive, replicas=1)
        end = (await session.js.stream_info(archive.origin)).state.last_seq
        await eventually(partial(_reaches, session, archive.name, end))
        await session.js.purge_stream(archive.origin, keep=hot)


async def test_what_has_left_the_streams_is_audited_by_their_archives(
    session: OperatorSession, served: list[Order]
) -> None:
    live, order_id = session.generations.live, str(served[0].order_id)
    await archived(session, hot=5)
    in_step = await found(session)
    await live.orders.delete_one({"_id": order_id})
    await live.orders.update_one({"_id": str(served[1].order_id)}, {"$set": {"order.total": 1}})

    planted = await found(session)

    assert in_step == []
    assert planted == sorted(
        [
            ("orders", order_id, "missing"),
            ("orders", str(served[1].order_id), "altered"),
        ]
    )


async def test_what_has_left_the_streams_is_repaired_and_rebuilt_from_their_archives(
    session: OperatorSession, nats_server: Nats, fresh_mongodb_url: str, served: list[Order]
) -> None:
    servers, live = (nats_server.url, fresh_mongodb_url), session.generations.live
    await archived(session, hot=5)
    before = await live.orders.find().sort("_id").to_list()
    await live.orders.delete_one({"_id": str(served[0].order_id)})

    repaired = await run(servers, *REPAIR_NOW)
    rebuilt = await run(servers, "rebuild")

    assert (repaired.code, rebuilt.code) == (0, 0), repaired.notes + rebuilt.notes
    assert await live.orders.find().sort("_id").to_list() == before
    assert "15 documents compared, 15 are equal." in rebuilt.output
    assert await Generation(session.database, 2).orders.find().sort("_id").to_list() == before
