"""The published files: up to date, valid, and true of every message that was ever published."""

import json
import re
import subprocess
import uuid
from enum import StrEnum
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from comanda_contracts import Message, read, seal
from comanda_contracts.commands import COMMAND_BODIES
from comanda_contracts.envelope import Published
from comanda_contracts.examples import EXAMPLES, PLACE_ORDER
from comanda_contracts.known_values import KnownValues
from comanda_contracts.reading import EVENTS
from comanda_contracts.streams import ORDERS
from comanda_local.teams import JETSTREAM_API
from contract_release.__main__ import check
from contract_release.contract import KNOWN_VALUES
from contract_release.generated import FOLDER, generated, stale
from contract_release.releases import contract_of, messages_of, releases

from tests.contracts.test_package import models
from tests.docs.documents import ROOT
from tests.node import installed, node
from tests.support.asyncapi import contract_document
from tests.support.contract import current

DOCS = FOLDER / "docs"
EVER_PUBLISHED = [
    pytest.param(message, id=f"{release.name} {message.headers['ce-type']}")
    for release in releases()
    for message in messages_of(release)
]

every_message = pytest.mark.parametrize("message", EVER_PUBLISHED)


def test_each_header_that_a_command_is_read_by_is_in_the_document() -> None:
    source = (ROOT / "services/ordering/src/ordering/inbound/nats/command_message.py").read_text()
    document = contract_document()
    told = [
        set(each["headers"]["properties"])
        for each in document["components"]["messages"].values()
        if "Comanda-Request-Id" in each["headers"].get("properties", {})
    ]

    read_by = set(re.findall(r"headers[^\n]*?[\[(]\"([A-Z][\w-]+)\"", source))

    assert read_by >= {"Authorization", "Comanda-Request-Id", "Comanda-Expires"}
    assert len(told) == len(COMMAND_BODIES)
    assert [read_by - {"Nats-Msg-Id"} - each for each in told] == [set() for _ in told]


def test_each_header_that_an_event_is_stored_with_is_in_the_document() -> None:
    """Those of the relay's batches, too, which there are only after it was away."""
    written = {
        name
        for service in ("ordering", "serving")
        for path in (ROOT / "services" / service / "src" / service / "outbound").rglob("*.py")
        for name in re.findall(r'"((?:Nats|Comanda)-[A-Z][\w-]+)"', path.read_text())
    }

    assert {"Nats-Batch-Id", "Comanda-Request"} <= written
    assert written - schema("headers")["properties"].keys() == set()


def schema(name: str) -> Any:
    return json.loads((FOLDER / "schemas" / f"{name}.json").read_text())


def valid(name: str, instance: object) -> None:
    validator = jsonschema_rs.Draft202012Validator(schema(name), validate_formats=True)
    validator.validate(instance)


def test_the_committed_files_are_those_that_the_models_give() -> None:
    assert check(current()) == []


def test_a_file_that_is_stale_missing_or_left_over_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("contract_release.generated.FOLDER", tmp_path)
    for path, text in generated(current()).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    whole = stale(current())
    (tmp_path / "asyncapi.yaml").write_text("asyncapi: 3.0.0")
    (tmp_path / "schemas/headers.json").unlink()
    (tmp_path / "schemas/old.json").write_text("{}")

    names = [path.name for path in stale(current())]

    assert (whole, names) == ([], ["asyncapi.yaml", "headers.json", "old.json"])


@pytest.mark.parametrize("path", sorted((FOLDER / "schemas").iterdir()), ids=lambda path: path.stem)
def test_a_schema_is_valid_names_itself_and_needs_no_network(path: Path) -> None:
    found = json.loads(path.read_text())

    jsonschema_rs.meta.validate(found)
    assert found["$id"] == f"urn:comanda:schema:{path.stem}"
    assert "http" not in path.read_text().replace(found["$schema"], "")


def closed_sets(schema: Any, path: str = "") -> list[str]:
    if isinstance(schema, list):
        return [each for part in schema for each in closed_sets(part, path)]
    if not isinstance(schema, dict):
        return []
    inside = [each for key in schema for each in closed_sets(schema[key], f"{path}/{key}")]
    return [*inside, path] if "enum" in schema or "const" in schema else inside


@pytest.mark.parametrize("name", EVENTS)
def test_a_reader_of_events_meets_no_closed_set_of_values(name: str) -> None:
    assert closed_sets(schema(name)) == []


@pytest.mark.parametrize("known", KNOWN_VALUES, ids=lambda known: known.__name__)
def test_each_known_value_is_told_where_the_field_is_explained(known: type[StrEnum]) -> None:
    fields = [
        field
        for model in models(Published)
        for field in model.model_fields.values()
        if KnownValues(known) in field.metadata
    ]

    assert fields
    for field in fields:
        assert all(f"`{each}`" in (field.description or "") for each in known)
        assert "what a later version adds" in " ".join((field.description or "").split())


def test_there_is_an_example_of_every_event() -> None:
    assert sorted(event.TYPE for event in EXAMPLES) == sorted(EVENTS)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.TYPE)
def test_what_is_published_fits_its_schemas(event: Any) -> None:
    message = seal(event, event_id=uuid.uuid4())

    valid("headers", dict(message.headers))
    valid(event.TYPE, json.loads(message.body))


@every_message
def test_a_message_of_any_release_is_still_read(message: Message) -> None:
    assert message.headers["ce-type"] == read(message.headers, message.body).TYPE


@every_message
def test_a_message_of_any_release_still_fits_the_schemas(message: Message) -> None:
    valid("headers", dict(message.headers))
    valid(message.headers["ce-type"], json.loads(message.body))


def test_a_message_of_every_event_is_kept_with_every_release() -> None:
    kept = [len(messages_of(release)) for release in releases()]

    assert kept == [len(contract_of(release)["events"]) for release in releases()]


def test_the_example_of_a_command_is_one() -> None:
    valid("commands.place-order", PLACE_ORDER)
    assert COMMAND_BODIES["place-order"].validate_json(json.dumps(PLACE_ORDER)).customer == "Ada"


def test_the_asyncapi_document_has_every_event_with_its_subject_headers_and_example() -> None:
    document = contract_document()

    messages = document["components"]["messages"]
    assert set(EVENTS) < set(messages)
    for event in EXAMPLES:
        message = messages[event.TYPE]
        (example,) = message["examples"]
        assert message["x-subject"].endswith(f".{event.name}")
        assert read(example["headers"], json.dumps(example["payload"]).encode()) == event


def test_every_schema_of_headers_in_the_asyncapi_document_is_of_an_object() -> None:
    document = contract_document()
    headers = {name: each["headers"] for name, each in document["components"]["messages"].items()}

    parts = [
        (name, part) for name, each in headers.items() for part in [each, *each.get("allOf", [])]
    ]

    assert [name for name, part in parts if "$ref" not in part and part["type"] != "object"] == []


def test_the_asyncapi_document_names_the_consumer_that_a_team_is_given() -> None:
    document = contract_document()

    orders = document["operations"]["subscribeToOrders"]["x-jetstream-consumer"]

    assert orders["api_prefix"] == JETSTREAM_API
    assert orders["filter_subjects"] == [ORDERS.subject]


def test_every_tag_of_the_asyncapi_document_is_explained() -> None:
    document = contract_document()

    used = {tag["name"] for each in document["operations"].values() for tag in each["tags"]}

    assert {each["name"] for each in document["info"]["tags"]} == used


def test_the_asyncapi_document_promises_no_answer_that_does_not_come() -> None:
    """A command that can't be carried out now is not answered: it comes again."""
    document = contract_document()

    assert "503" not in str(document["components"]["messages"]["answer"])


@pytest.mark.packages
@pytest.mark.timeout(300)  # the first one installs the packages
def test_the_official_parser_finds_nothing_wrong_with_the_asyncapi_document(tmp_path: Path) -> None:
    validate = [Path(node()), installed(DOCS) / "validate.mjs"]
    broken = tmp_path / "broken.yaml"
    broken.write_text((FOLDER / "asyncapi.yaml").read_text().replace("action: send", "action: x"))

    right, wrong = (
        subprocess.run([*validate, file], check=False, capture_output=True, text=True)
        for file in (FOLDER / "asyncapi.yaml", broken)
    )

    assert (right.returncode, right.stderr) == (0, "")
    assert "9 channels 14 operations 28 messages" in right.stdout
    assert wrong.returncode == 1
    assert "action" in wrong.stderr


@pytest.mark.packages
@pytest.mark.timeout(300)
def test_no_document_breaks_a_rule_of_spectral_owasp_or_redocly(tmp_path: Path) -> None:
    lint = [Path(node()), installed(DOCS) / "lint.mjs"]
    documents = [FOLDER / "asyncapi.yaml", *sorted((ROOT / "docs" / "api").glob("*.json"))]
    broken = tmp_path / "broken.json"
    serving = json.loads(documents[-1].read_text())
    del serving["components"]["securitySchemes"]["token"]["description"]
    broken.write_text(json.dumps(serving))

    right, wrong = (
        subprocess.run([*lint, *files], check=False, capture_output=True, text=True)
        for files in (documents, [broken])
    )

    assert (right.returncode, right.stderr) == (0, "")
    assert len(right.stdout.splitlines()) == len(documents) == 4
    assert (wrong.returncode, "owasp:api2:2023" in wrong.stderr) == (1, True)


@pytest.mark.packages
@pytest.mark.timeout(300)
def test_ajv_compiles_every_schema_in_strict_mode_and_finds_its_examples_valid(
    tmp_path: Path,
) -> None:
    compile_schemas = [Path(node()), installed(DOCS) / "compile.mjs"]
    broken = tmp_path / "broken.json"
    placed = schema("comanda.order.placed.v1")
    broken.write_text(json.dumps(placed | {"examples": [{}]}))

    right, wrong = (
        subprocess.run([*compile_schemas, *files], check=False, capture_output=True, text=True)
        for files in (sorted((FOLDER / "schemas").iterdir()), [broken])
    )

    assert (right.returncode, right.stderr) == (0, "")
    assert (wrong.returncode, "must have required property 'order'" in wrong.stderr) == (1, True)


def test_a_field_that_may_be_null_has_one_type_that_may_be_null() -> None:
    order = schema("comanda.order.placed.v1")["$defs"]["Order"]["properties"]

    assert order["table"]["type"] == ["string", "null"]


@pytest.mark.packages
@pytest.mark.timeout(300)
def test_the_page_is_one_file_with_everything_in_it(tmp_path: Path) -> None:
    page = tmp_path / "index.html"

    render = [Path(node()), installed(DOCS) / "render.mjs", FOLDER / "asyncapi.yaml", page]
    subprocess.run(render, check=True, capture_output=True)

    text = page.read_text()
    assert "comanda.order.placed.v1" in text
    assert 'src="' not in text.split("<script>")[0]
