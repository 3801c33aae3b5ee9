"""The AsyncAPI document and page of a service."""

import json
import re
from typing import Any

import httpx
from comanda_contracts import OrderPlaced, TicketQueued, subjects
from comanda_contracts.streams import COMMANDS, ORDERS
from fastapi import FastAPI
from service_kit.nats.asyncapi import asyncapi_routes, document
from service_kit.nats.broker import Broker
from service_kit.nats.router import Router
from service_kit.nats.subscriber import Received

ABOUT = {"title": "A service", "description": "What it is for.", "version": "1.0.0"}


def a_broker() -> Broker:
    router = Router()
    router.publishes(TicketQueued)

    @router.batch_subscriber(
        ORDERS, durable="service", filter_subjects=[subjects.order("*", "*", "placed")]
    )
    async def on_orders(batch: list[Received]) -> None:
        """Queues what was ordered."""

    @router.batch_subscriber(COMMANDS, durable="service", filter_subjects=[COMMANDS.subject])
    async def on_commands(batch: list[Received]) -> None:
        """Carries commands out."""

    return Broker(["nats://user:secret@localhost:4222"], "service", [router])


def operations(whole: dict[str, Any]) -> set[tuple[str, str]]:
    """Each operation's action and address."""
    channels = {f"#/channels/{key}": each for key, each in whole["channels"].items()}
    return {
        (each["action"], channels[each["channel"]["$ref"]]["address"])
        for each in whole["operations"].values()
    }


def test_it_says_what_is_consumed_and_what_is_published() -> None:
    whole = document(a_broker(), **ABOUT)

    assert operations(whole) == {
        ("receive", "orders.v1.{restaurant}.{order_id}.placed"),
        ("receive", "commands.v1.{restaurant}.place-order"),
        ("receive", "commands.v1.{restaurant}.add-items"),
        ("receive", "commands.v1.{restaurant}.cancel-order"),
        ("receive", "commands.v1.{restaurant}.close-order"),
        ("send", "tickets.v1.{restaurant}.{order_id}.{round}.queued"),
    }


def test_each_reference_leads_somewhere_and_no_credentials_are_told() -> None:
    whole = document(a_broker(), **ABOUT)

    text = json.dumps(whole)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        found = whole
        for part in reference.split("/"):
            found = found[part]
    assert "secret" not in text


def test_payloads_are_the_contracts_models() -> None:
    schemas = document(a_broker(), **ABOUT)["components"]["schemas"]

    assert schemas["OrderPlaced"]["properties"].keys() == OrderPlaced.model_fields.keys()


async def test_the_page_needs_nothing_from_elsewhere() -> None:
    app = FastAPI()
    app.include_router(asyncapi_routes(a_broker(), **ABOUT))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://service"
    ) as client:
        page = (await client.get("/asyncapi")).text
        links = re.findall(r'(?:src|href|fetch\()="?([^"]+)"', page.replace('fetch("', 'fetch(="'))
        answers = [await client.get(f"/{link}") for link in links if link != "data:,"]

    assert len(answers) == 3
    assert all(answer.status_code == 200 for answer in answers)
    assert "//" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
