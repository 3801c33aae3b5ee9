"""What query consumes: declared, set up in a step of its own, reached, and documented."""

import uuid
from functools import partial
from typing import Any

import pytest
from comanda_contracts import Event, seal
from comanda_contracts.streams import Stream
from comanda_local.servers import Nats
from faststream.nats import TestNatsBroker
from nats.aio.client import Client
from query.bootstrap import Role, bootstrap
from query.projection.projector import PROJECTED, SERVICE, projection_router
from query.settings import Settings
from service_kit.nats.broker import Broker
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_stream

from tests.query.builders import SHOWN
from tests.query.operators import run, started
from tests.query.running import in_process
from tests.query.test_apply import MergeLog, stores_of
from tests.support.asyncapi import contract_payloads, payloads
from tests.support.eventually import eventually

SERVERS = {"nats_url": "nats://nats:4222", "mongodb_url": "mongodb://mongodb/comanda"}


def a_broker(log: MergeLog) -> Broker:
    broker = Broker([SERVERS["nats_url"]], SERVICE)
    broker.include_router(projection_router(stores_of(log)))
    return broker


def test_each_projected_stream_has_a_durable_of_its_own() -> None:
    declared = {
        (each.stream.name, each.durable, tuple(each.config.filter_subjects or ()))
        for each in a_broker(MergeLog()).batch_subscribers
    }

    assert declared == {(stream.name, "query", (stream.subject,)) for stream in PROJECTED}


@pytest.mark.parametrize("event", SHOWN, ids=lambda event: event.TYPE)
async def test_each_event_reaches_its_view(event: Event) -> None:
    log = MergeLog()
    broker, message = a_broker(log), seal(event, event_id=uuid.uuid4())

    async with TestNatsBroker(broker):
        await broker.publish(message.body, message.subject, headers=dict(message.headers))

    assert len(log.merged) == 1


async def test_the_set_up_waits_for_a_stream_that_is_missing_and_leaves_no_other_waiting(
    nats_server: Nats, no_mongodb: str
) -> None:
    async with connected([nats_server.url], "test") as nats:
        missing, *others = PROJECTED
        for stream in others:
            await set_up_stream(nats.jetstream(), stream, replicas=1)
        set_up = await started((nats_server.url, no_mongodb), "set-up")
        for stream in others:
            await eventually(partial(durables, nats, stream), bool)
        assert set_up.returncode is None
        await set_up_stream(nats.jetstream(), missing, replicas=1)
        output, notes = await set_up.communicate()

        assert set_up.returncode == 0, notes.decode()
        assert "consumer ORDERS/query" in output.decode()
        assert sorted(await durables(nats, missing)) == ["query", "query-forgetting"]


async def test_the_set_up_can_be_repeated_and_undoes_nothing(
    nats: Client, nats_server: Nats, no_mongodb: str
) -> None:
    js = nats.jetstream()
    before = [(await js.consumer_info(stream.name, "query")).config for stream in PROJECTED]

    outcome = await run((nats_server.url, no_mongodb), "set-up")

    assert outcome.code == 0, outcome.notes
    assert before == [(await js.consumer_info(stream.name, "query")).config for stream in PROJECTED]


async def durables(nats: Client, stream: Stream) -> list[str]:
    return [each.name for each in await nats.jetstream().consumers_info(stream.name)]


@pytest.mark.parametrize("role", Role)
async def test_the_document_says_what_the_contract_says_of_the_projected_streams(
    role: Role,
) -> None:
    document = await asyncapi_of(role)

    streams = [stream.name for stream in PROJECTED]
    assert payloads(document) == contract_payloads("receive", *streams)


async def asyncapi_of(role: Role) -> dict[str, Any]:
    async with in_process(bootstrap(Settings.model_validate(SERVERS), role)) as client:
        assert "<html" in (await client.get("/asyncapi")).text
        document: dict[str, Any] = (await client.get("/asyncapi.json")).json()
        return document
