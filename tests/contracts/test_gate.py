"""The compatibility gate: a table of changes that break somebody, and of changes that do not."""

import copy
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from comanda_contracts.streams import HOT_WINDOW_S
from contract_release.gate import breaking_changes
from contract_release.releases import PUBLISHED, contract_of, releases

from tests.support.contract import current

Json = dict[str, Any]
Change = Callable[[Json], object]

FROZEN = {
    "1.0.0": "7b065ba6ab688022ac2cae3aa81076f2e71648bc81ed3bd5cb67af5dbea34239",
}
"""The SHA-256 of the contract of each release."""

PLACED = "comanda.order.placed.v1"
READY = "comanda.ticket.ready.v1"
TEXT = {"type": "string"}
TEXT_OR_NULL = {"anyOf": [TEXT, {"type": "null"}]}
NUMBER = {"type": "integer"}


def event(contract: Json, name: str) -> Json:
    schema: Json = contract["events"][name]["schema"]
    return schema


def model(contract: Json, name: str, of: str = PLACED) -> Json:
    found: Json = event(contract, of)["$defs"][name]
    return found


def field(contract: Json, name: str, of: str = "Order", event: str = PLACED) -> Json:
    found: Json = model(contract, of, event)["properties"][name]
    return found


def command(contract: Json, name: str = "add-items") -> Json:
    schema: Json = contract["commands"][name]["schema"]
    return schema


def remove(schema: Json, name: str) -> None:
    del schema["properties"][name]
    schema["required"] = [each for each in schema["required"] if each != name]


def rename(schema: Json, name: str, new: str) -> None:
    schema["properties"][new] = schema["properties"].pop(name)
    schema["required"] = [new if each == name else each for each in schema["required"]]


def add(schema: Json, name: str, field: Json, *, required: bool = False) -> None:
    schema["properties"][name] = field
    schema["required"] = [*schema["required"], name] if required else schema["required"]


def line(contract: Json) -> Json:
    found: Json = command(contract)["$defs"]["RequestedLine"]
    return found


BAD: dict[str, tuple[Change, str]] = {
    "a field of an event is removed": (
        lambda c: remove(model(c, "Order"), "total"),
        (
            f"event {PLACED}: order.total was removed; this breaks readers of orders.v1.*.*.placed "
            "(serving, query, notifier, pickup-python, pickup-javascript)"
        ),
    ),
    "a field that may be missing is removed": (
        lambda c: model(c, "Order")["properties"].pop("phone"),
        "order.phone was removed",
    ),
    "a field deep inside is removed": (
        lambda c: remove(model(c, "Line"), "unit_price"),
        "order.rounds[].lines[].unit_price was removed",
    ),
    "a field is renamed": (
        lambda c: rename(model(c, "Order"), "total", "amount"),
        "order.total was removed (now 'amount'?)",
    ),
    "a field becomes one that may be missing": (
        lambda c: model(c, "Order")["required"].remove("number"),
        "order.number may now be missing",
    ),
    "a field becomes null at times": (
        lambda c: model(c, "Order")["properties"].update(
            number={"anyOf": [TEXT, {"type": "null"}]}
        ),
        "order.number may now be null",
    ),
    "a field is null no more, though older messages hold null": (
        lambda c: model(c, "Order")["properties"].update(table={**TEXT, "default": None}),
        "order.table may no longer be null",
    ),
    "a number becomes a text": (
        lambda c: model(c, "Order")["properties"].update(total=TEXT),
        "order.total may now be string",
    ),
    "a whole number becomes a fraction": (
        lambda c: field(c, "total").update(type="number"),
        "order.total may now be a fraction",
    ),
    "an array becomes a single object": (
        lambda c: model(c, "Order")["properties"].update(rounds={"$ref": "#/$defs/Round"}),
        "order.rounds may no longer be array",
    ),
    "what an array holds changes": (
        lambda c: event(c, "comanda.order.items-cancelled.v1")["properties"]["rounds"].update(
            items=TEXT
        ),
        "rounds[] may now be string",
    ),
    "a bound is narrowed, though older messages are beyond it": (
        lambda c: field(c, "quantity", of="Line").update(maximum=99),
        "order.rounds[].lines[].quantity has another maximum: 99",
    ),
    "a bound is widened beyond what readers take": (
        lambda c: field(c, "total").update(minimum=-100),
        "order.total has another minimum: -100, not 0",
    ),
    "a format changes": (
        lambda c: field(c, "placed_at").update(format="date"),
        "order.placed_at has another format: date, not date-time",
    ),
    "a value that stood for a missing field changes": (
        lambda c: field(c, "voided", of="Round").update(default=True),
        "order.rounds[].voided has another default: True, not False",
    ),
    "a known value is removed": (
        lambda c: c["known_values"]["OrderStatus"].remove("cancelling"),
        "known values of OrderStatus: 'cancelling' was removed; this breaks everybody",
    ),
    "a text that could be any is closed": (
        lambda c: field(c, "status").update(enum=["open", "closed"]),
        f"event {PLACED}: order.status may only be one of ['closed', 'open']",
    ),
    "a new field is required, though older messages lack it": (
        lambda c: add(model(c, "Order"), "tip", NUMBER, required=True),
        "order.tip is new, and required",
    ),
    "a field that could be missing is required": (
        lambda c: model(c, "Order")["required"].append("table"),
        "order.table is now required",
    ),
    "an event is removed": (
        lambda c: c["events"].pop("comanda.ticket.served.v1"),
        (
            "event comanda.ticket.served.v1: was removed; this breaks readers of "
            "tickets.v1.*.*.*.served (ordering, serving, query, pickup-python, pickup-javascript)"
        ),
    ),
    "an event goes to another subject": (
        lambda c: c["events"][PLACED].update(subject="orders.v1.*.*.taken"),
        "subject is 'orders.v1.*.*.taken', not 'orders.v1.*.*.placed'",
    ),
    "an event goes to another stream": (
        lambda c: c["events"][PLACED].update(stream="EVERYTHING"),
        "stream is 'EVERYTHING', not 'ORDERS'",
    ),
    "an event comes from another source": (
        lambda c: c["events"][PLACED].update(source="/comanda/tills"),
        "source is '/comanda/tills', not '/comanda/ordering'",
    ),
    "a stream is removed": (
        lambda c: c["streams"].pop("MENU"),
        "stream MENU: was removed; this breaks everybody who has a consumer on MENU",
    ),
    "a stream takes other subjects": (
        lambda c: c["streams"]["MENU"].update(subject="menus.v1.>"),
        "subject is 'menus.v1.>', not 'menu.v1.>'",
    ),
    "a stream forgets": (
        lambda c: c["streams"]["ORDERS"].update(max_age=86_400),
        "stream ORDERS: keeps its messages for 86400 s, no longer; this breaks everybody",
    ),
    "a stream forgets what it promised to keep": (
        lambda c: c["streams"]["TICKETS"].update(max_age=HOT_WINDOW_S - 1),
        "stream TICKETS: keeps its messages for 2591999 s, no longer",
    ),
    "a stream promises less": (
        lambda c: c["streams"]["TICKETS"].update(kept_at_least=86_400),
        "stream TICKETS: keeps its messages for 86400 s, no longer",
    ),
    "a stream without another promise forgets": (
        lambda c: c["streams"]["MENU"].update(max_age=10 * HOT_WINDOW_S),
        "stream MENU: keeps its messages for 25920000 s, no longer",
    ),
    "a stream of events becomes a queue": (
        lambda c: c["streams"]["TICKETS"].update(work_queue=True),
        "stream TICKETS: work_queue is True",
    ),
    "a header is removed": (
        lambda c: remove(c["headers"], "ce-id"),
        "headers: ce-id was removed; this breaks everybody who reads any event",
    ),
    "commands need a further header": (
        lambda c: add(c["command_headers"], "Comanda-Till", TEXT, required=True),
        "headers of commands: Comanda-Till is new, and required; this breaks who sends any command",
    ),
    "a command is removed": (
        lambda c: c["commands"].pop("close-order"),
        "command close-order: was removed; this breaks who sends commands.v1.*.close-order",
    ),
    "a command moves": (
        lambda c: c["commands"]["add-items"].update(subject="commands.v1.*.add"),
        "subject is 'commands.v1.*.add'",
    ),
    "a command needs a new field": (
        lambda c: add(command(c), "waiter", TEXT, required=True),
        "command add-items: waiter is new, and required; this breaks who sends",
    ),
    "a command refuses a field that it took": (
        lambda c: line(c)["properties"].pop("note"),
        "lines[].note was removed, and is now refused",
    ),
    "a command takes less of a number": (
        lambda c: line(c)["properties"]["quantity"].update(maximum=99),
        "lines[].quantity has another maximum: 99, not 999",
    ),
    "a command takes other texts": (
        lambda c: line(c)["properties"]["sku"].update(pattern="^[a-z]+$"),
        "lines[].sku has another pattern",
    ),
    "a command needs what it could do without": (
        lambda c: line(c)["required"].append("note"),
        "lines[].note is now required",
    ),
    "one of the two ways to order is removed": (
        lambda c: command(c, "place-order")["oneOf"].pop(),
        "command place-order: the whole may no longer be object",
    ),
}

GOOD: dict[str, Change] = {
    "nothing changes": lambda c: c,
    "an event has a further field that may be missing": lambda c: add(
        model(c, "Order"), "tip", {**NUMBER, "default": 0}
    ),
    "a further event": lambda c: c["events"].update({"comanda.order.paid.v1": c["events"][PLACED]}),
    "a further stream": lambda c: c["streams"].update(PAYMENTS=c["streams"]["ORDERS"]),
    "a further header": lambda c: add(c["headers"], "ce-dataschema", TEXT),
    "a further value where any text is to be expected": lambda c: c["known_values"][
        "TicketStatus"
    ].append("cooling"),
    "a stream keeps its messages for the hot window, with an archive beside it": lambda c: (
        c["streams"]["ORDERS"].update(max_age=HOT_WINDOW_S),
        c["streams"].update(ANOTHER_ARCHIVE=c["streams"]["ORDERS"]),
    ),
    "other words": lambda c: field(c, "total").update(description="What it costs.", title="Sum"),
    "another example": lambda c: field(c, "total").update(examples=[1]),
    "fields in another order": lambda c: model(c, "Order").update(
        properties=dict(reversed(model(c, "Order")["properties"].items()))
    ),
    "a model has another name": lambda c: (
        event(c, PLACED)["$defs"].update(Bill=model(c, "Order")),
        event(c, PLACED)["properties"].update(order={"$ref": "#/$defs/Bill"}),
    ),
    "a stream remembers duplicates for longer": lambda c: c["streams"]["ORDERS"].update(
        duplicate_window=600
    ),
    "a further command": lambda c: c["commands"].update({"split": c["commands"]["close-order"]}),
    "a command takes a further field that may be missing": lambda c: add(
        command(c), "waiter", {**TEXT, "default": ""}
    ),
    "a command does without a field": lambda c: command(c, "cancel-order")["required"].remove(
        "reason"
    ),
    "a command takes more of a number": lambda c: line(c)["properties"]["quantity"].update(
        maximum=9_999
    ),
    "a command takes null as well": lambda c: line(c)["properties"].update(
        sku={"anyOf": [line(c)["properties"]["sku"], {"type": "null"}]}
    ),
    "a command takes fractions": lambda c: line(c)["properties"]["quantity"].update(type="number"),
    "a command takes texts of any pattern": lambda c: line(c)["properties"]["sku"].pop("pattern"),
}


@pytest.mark.parametrize(("change", "expected"), BAD.values(), ids=BAD.keys())
def test_what_would_break_somebody_is_named(change: Change, expected: str) -> None:
    contract = current()
    changed = copy.deepcopy(contract)
    change(changed)

    found = [str(each) for each in breaking_changes(contract, changed)]

    assert any(expected in each for each in found), found


@pytest.mark.parametrize("change", GOOD.values(), ids=GOOD.keys())
def test_an_addition_passes(change: Change) -> None:
    contract = current()
    changed = copy.deepcopy(contract)
    change(changed)

    assert breaking_changes(contract, changed) == []


@pytest.mark.parametrize("release", releases(), ids=lambda release: release.name)
def test_these_sources_break_no_release(release: Any) -> None:
    assert [str(each) for each in breaking_changes(contract_of(release), current())] == []


# decision/0059: enumerations of events are open
@pytest.mark.parametrize(("release", "digest"), FROZEN.items())
def test_what_a_release_promised_is_never_written_anew(release: str, digest: str) -> None:
    """It was once, on the day of decision 0059; a further release is added here, none changes."""
    content = (PUBLISHED / release / "contract.json").read_bytes()

    assert hashlib.sha256(content).hexdigest() == digest


def test_every_release_is_frozen() -> None:
    assert [release.name for release in releases()] == [*FROZEN]
