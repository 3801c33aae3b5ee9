"""The services' own AsyncAPI documents, held together, say what the contract says."""

from collections import Counter
from typing import Any

import httpx
import ordering.bootstrap
import ordering.settings
import pytest
import query.bootstrap
import query.settings
import serving.bootstrap
import serving.settings
from comanda_contracts import subjects
from comanda_contracts.streams import (
    ACCESS,
    COMMANDS,
    MENU,
    ORDERS,
    RESTAURANTS,
    TICKETS,
    Stream,
)
from contract_release.readers import READERS
from fastapi import FastAPI

from tests.support.asyncapi import Payloads, contract_payloads, payloads

STREAMS = (ORDERS, MENU, RESTAURANTS, TICKETS, ACCESS)
FOLLOWED = ACCESS
"""Which services follow without a subscriber that they declare."""
NATS = {"nats_url": "nats://nowhere"}
"""Servers that nothing connects to, here and below."""
POSTGRESQL = {"database_url": "postgresql+asyncpg://nowhere/ordering"}
MONGODB = {"mongodb_url": "mongodb://nowhere/comanda"}


def application(service: str) -> FastAPI:
    match service:
        case "ordering":
            settings = ordering.settings.Settings.model_validate(NATS | POSTGRESQL)
            return ordering.bootstrap.bootstrap(settings)
        case "serving":
            return serving.bootstrap.bootstrap(serving.settings.Settings.model_validate(NATS))
        case "query":
            return query.bootstrap.bootstrap(query.settings.Settings.model_validate(NATS | MONGODB))
        case _:
            raise AssertionError(service)


async def document_of(service: str) -> Payloads:
    """The payloads in the document that the service serves."""
    transport = httpx.ASGITransport(application(service))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        answer = await client.get("/asyncapi.json")
    return {key: without_hint(payload) for key, payload in payloads(answer.json()).items()}


def without_hint(payload: dict[str, Any]) -> dict[str, Any]:
    """Without OpenAPI's name of the field by which the members of a union are told apart."""
    return {name: each for name, each in payload.items() if name != "discriminator"}


@pytest.fixture(scope="module")
async def documents() -> dict[str, Payloads]:
    return {service: await document_of(service) for service in ("ordering", "serving", "query")}


def matched(address: str, pattern: str) -> bool:
    """Whether a filter takes in the subjects of an address."""
    subject = ".".join("x" if part.startswith("{") else part for part in address.split("."))
    return subjects.covers(pattern, subject)


@pytest.mark.parametrize("service", ["ordering", "serving", "query"])
def test_a_service_sends_and_receives_what_the_contract_describes(
    documents: dict[str, Payloads], service: str
) -> None:
    every = [stream.name for stream in STREAMS]
    contract = contract_payloads("send", *every) | contract_payloads(
        "receive", *every, COMMANDS.name
    )

    document = documents[service]

    assert document
    assert {key: contract.get(key) for key in document} == document


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_every_event_is_sent_by_the_owner_of_its_stream_alone(
    documents: dict[str, Payloads], stream: Stream
) -> None:
    senders = Counter(
        (service, address)
        for service, document in documents.items()
        for action, address in document
        if action == "send" and matched(address, stream.subject)
    )

    published = contract_payloads("send", stream.name)

    assert senders == {(stream.owner, address): 1 for _, address in published}


def test_every_command_is_received_by_ordering_alone(documents: dict[str, Payloads]) -> None:
    receivers = {
        (service, address)
        for service, document in documents.items()
        for action, address in document
        if action == "receive" and matched(address, COMMANDS.subject)
    }

    commands = contract_payloads("receive", COMMANDS.name)

    assert receivers == {("ordering", address) for _, address in commands}


@pytest.mark.parametrize("service", ["ordering", "serving", "query"])
def test_the_gate_knows_what_a_service_reads(documents: dict[str, Payloads], service: str) -> None:
    """A service may read more than its durables do: serving follows its own stream."""
    read = {
        address
        for action, address in documents[service]
        if action == "receive" and not matched(address, COMMANDS.subject)
    }

    others = [pattern for pattern in READERS[service] if not is_own(service, pattern)]
    known = {
        address
        for _, address in contract_payloads(
            "receive", *(stream.name for stream in STREAMS if stream is not FOLLOWED)
        )
        if any(matched(address, pattern) for pattern in others)
    }

    assert read == known


def is_own(service: str, pattern: str) -> bool:
    return any(stream.owner == service and stream.subject == pattern for stream in STREAMS)
