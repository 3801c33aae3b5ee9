"""The AsyncAPI document and page of a service."""

import json
import re
from typing import Any

from comanda_contracts import OrderPlaced, TicketQueued, subjects
from comanda_contracts.streams import COMMANDS, ORDERS
from service_kit.nats.asyncapi import document
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
