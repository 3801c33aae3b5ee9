"""A service's AsyncAPI document against the contract: addresses, directions and payloads."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

CONTRACT = Path(__file__).parents[2] / "contracts" / "asyncapi.yaml"
NOT_OF_THE_SHAPE = frozenset({"title", "description", "examples", "default"})
"""What a schema says beside which values are valid."""

Document = dict[str, Any]
Payloads = dict[tuple[str, str], Any]
"""The schema of each kind of message, by `send` or `receive`, and its address."""


@cache
def contract_document() -> Document:
    """The AsyncAPI document of the contract; it is read once, and nobody may change it."""
    document: Document = yaml.load(CONTRACT.read_text(), yaml.CSafeLoader)
    return document


def payloads(document: Document) -> Payloads:
    """What the document of a service says."""
    return {
        (operation["action"], channel["address"]): shape(document, message["payload"])
        for operation in document["operations"].values()
        for channel in [resolved(document, operation["channel"])]
        for message in (resolved(document, each) for each in channel["messages"].values())
    }


def contract_payloads(action: str, *streams: str) -> Payloads:
    """What the contract says of the messages on these streams, for who sends or receives them."""
    contract = contract_document()
    return {
        (action, address_of(channel["address"], message)): shape(contract, message["payload"])
        for channel in contract["channels"].values()
        if channel.get("x-jetstream-stream", {}).get("name") in streams
        for message in (resolved(contract, each) for each in channel["messages"].values())
    }


def address_of(address: str, message: Document) -> str:
    """The address of a channel for one kind of message: its subject's last part is the event."""
    event: str = message["x-subject"].rpartition(".")[2]
    return f"{address.rpartition('.')[0]}.{event}"


def resolved(document: Document, node: Any) -> Any:
    """What a reference leads to, or the node itself."""
    while "$ref" in node:
        found = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        node = found
    return node


def shape(document: Document, node: Any, within: tuple[int, ...] = ()) -> Any:
    """A schema with its references put in, and without what is said for people."""
    if isinstance(node, list):
        return [shape(document, each, within) for each in node]
    if not isinstance(node, dict):
        return node
    node = resolved(document, node)
    assert id(node) not in within, "no payload contains itself"
    inside = (*within, id(node))
    if "properties" in node:
        fields = {name: shape(document, each, inside) for name, each in node["properties"].items()}
        node = node | {"properties": fields}
    return {
        name: each if name == "properties" else shape(document, each, inside)
        for name, each in node.items()
        if name not in NOT_OF_THE_SHAPE
    }
