"""Setting up undoes nothing that an operator has set."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from comanda_contracts.streams import MENU
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.js import api
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_consumer, set_up_stream

from tests.conftest import NewNatsServer

OPERATORS = {
    "description": "on the cheap disks",
    "max_bytes": 50_000_000,
    "max_age": 86_400.0,
    "max_msg_size": 500_000,
    "duplicate_window": 60.0,
    "allow_rollup_hdrs": True,
    "compression": api.StoreCompression.S2,
    "metadata": {"team": "platform"},
    "discard": api.DiscardPolicy.OLD,
}
"""Settings of a stream that no service needs, as an operator might want them."""


@pytest.fixture
def nats_server(new_nats_server: NewNatsServer) -> Nats:
    return new_nats_server()


@pytest.fixture
async def client(nats_server: Nats) -> AsyncIterator[Client]:
    async with connected([nats_server.url], "test") as client:
        yield client


async def settings(client: Client, subject: str) -> dict[str, Any]:
    """The configuration that the server tells of, every field of it but the server's own notes."""
    reply = await client.request(f"$JS.API.{subject}", b"", timeout=5)
    config: dict[str, Any] = json.loads(reply.data)["config"]
    metadata = config.pop("metadata", {})
    return config | {k: v for k, v in metadata.items() if not k.startswith("_nats.")}


async def test_a_stream_keeps_what_an_operator_has_set(client: Client) -> None:
    js = client.jetstream()
    await set_up_stream(js, MENU, replicas=1)
    found = (await js.stream_info(MENU.name)).config
    await js.update_stream(found.evolve(**OPERATORS))
    before = await settings(client, f"STREAM.INFO.{MENU.name}")

    await set_up_stream(js, MENU, replicas=1)

    assert await settings(client, f"STREAM.INFO.{MENU.name}") == before


async def test_a_stream_that_lacks_what_services_need_is_given_that_and_keeps_the_rest(
    client: Client,
) -> None:
    js = client.jetstream()
    await js.add_stream(api.StreamConfig(name=MENU.name, subjects=["menu.v1.*.*.*"], **OPERATORS))  # type: ignore[arg-type]
    before = await settings(client, f"STREAM.INFO.{MENU.name}")

    await set_up_stream(js, MENU, replicas=1)

    needed = {"subjects": [MENU.subject], "allow_direct": True, "allow_atomic": True}
    assert await settings(client, f"STREAM.INFO.{MENU.name}") == before | needed


async def test_a_durable_keeps_what_an_operator_has_set_and_gets_a_new_filter(
    client: Client,
) -> None:
    js = client.jetstream()
    await set_up_stream(js, MENU, replicas=1)
    await set_up_consumer(js, MENU.name, "test", ["menu.v1.*.*.item-set"])
    found = (await js.consumer_info(MENU.name, "test")).config
    theirs = replace(
        found, ack_wait=90.0, max_ack_pending=500, description="slow disks", inactive_threshold=None
    )
    await js.add_consumer(MENU.name, theirs)
    before = await settings(client, f"CONSUMER.INFO.{MENU.name}.test")

    await set_up_consumer(js, MENU.name, "test", [MENU.subject])

    after = await settings(client, f"CONSUMER.INFO.{MENU.name}.test")
    one_filter = {"filter_subject", "filter_subjects"}
    assert {k: v for k, v in after.items() if k not in one_filter} == {
        k: v for k, v in before.items() if k not in one_filter
    }
    assert MENU.subject in (after.get("filter_subject"), *after.get("filter_subjects", []))
