"""The OpenAPI documents are such that a generator makes a good client of them."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.openapi import APPS, Json, document_of, operations, resolved

OPERATION_ID = re.compile(r"[a-z]+([A-Z][a-z]+)+")
OPERATION_ID_LENGTH_MAX = 20

TELLS_WHAT_IT_KNOWS = "GET /v1/operate/status"
"""It is answered though a store is away, which is then what it says."""


@pytest.fixture(params=APPS, scope="module")
def document(request: pytest.FixtureRequest) -> Json:
    return document_of(request.param)


def parts(tree: Any) -> Iterator[Json]:
    """Every object of the document, at any depth."""
    if isinstance(tree, dict):
        yield tree
    for each in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from parts(each)


def test_operations_are_named_shortly_and_once_in_all_documents() -> None:
    named = Counter(
        operation["operationId"] for each in APPS for _, operation in operations(document_of(each))
    )

    assert [each for each, times in named.items() if times > 1] == []
    assert [each for each in named if not OPERATION_ID.fullmatch(each)] == []
    assert [each for each in named if len(each) > OPERATION_ID_LENGTH_MAX] == []


def test_no_object_is_described_but_as_a_component(document: Json) -> None:
    described = [each for each in parts(document) if "properties" in each]

    assert len(described) == sum(
        "properties" in each for each in document["components"]["schemas"].values()
    )


def test_every_refusal_refers_to_the_one_problem(document: Json) -> None:
    refused = {
        content["schema"]["$ref"]
        for _, operation in operations(document)
        for status, answer in operation["responses"].items()
        for content in answer.get("content", {}).values()
        if int(status) >= 400
    }

    assert refused == {"#/components/schemas/Problem"}


def test_what_any_request_may_be_refused_with_stands_beside_what_a_route_adds(
    document: Json,
) -> None:
    for where, operation in operations(document):
        problems = operation["responses"]["503"]["content"]["application/problem+json"]
        own = "too-many-feeds" if where.endswith("/live") else "store-unavailable"
        if where == TELLS_WHAT_IT_KNOWS:
            own = "keys-unavailable"
        assert {"keys-unavailable", own} <= problems["examples"].keys(), where


def test_what_reads_many_says_that_it_may_be_too_slow() -> None:
    document = dict(operations(document_of("query")))

    for path in ("", "/{restaurant}/orders", "/{restaurant}/tables", "/{restaurant}/board"):
        content = document[f"GET /v1/restaurants{path}"]["responses"]["503"]
        assert "too-slow" in content["content"]["application/problem+json"]["examples"], path


def test_every_operation_has_a_tag_that_is_explained_and_a_sentence(document: Json) -> None:
    explained = {each["name"] for each in document["tags"] if each["description"].endswith(".")}

    for where, operation in operations(document):
        assert set(operation["tags"]) <= explained, where
        assert re.fullmatch(r"[A-Z].*( .*)+[^.]", operation["summary"]), where
        assert operation["description"].endswith("."), where
    used = {each for _, operation in operations(document) for each in operation["tags"]}
    assert explained == used


def test_parameters_stand_as_in_the_path_and_before_others(document: Json) -> None:
    """Generators make positional arguments of them, that would else be mistaken for each other."""
    for where, operation in operations(document):
        in_path = re.findall(r"{(\w+)}", where)
        named = [each["name"] for each in operation.get("parameters", ())]
        assert named[: len(in_path)] == in_path, where


def test_a_choice_that_a_null_tells_stands_last(document: Json) -> None:
    """Some generated clients take the first that fits, and compare no null."""
    for choices in (each["anyOf"] for each in parts(document) if "anyOf" in each):
        told_by_null = [
            any(
                field.get("type") == "null"
                for field in resolved(document, choice).get("properties", {}).values()
            )
            for choice in choices
        ]
        assert told_by_null == sorted(told_by_null), choices


def test_a_document_says_where_it_is_answered(document: Json) -> None:
    assert [each["url"] for each in document["servers"]] == ["."]


def test_a_problem_has_every_field_that_some_refusal_has(document: Json) -> None:
    fields = document["components"]["schemas"]["Problem"]["properties"]
    shown = [
        each["value"]
        for answer in document["components"]["responses"].values()
        for each in answer["content"]["application/problem+json"]["examples"].values()
    ]

    assert {name for each in shown for name in each} <= fields.keys()
    assert {"instance", "request_id", "trace_id"} <= fields.keys()
    assert not {"default", "anyOf"} & {keyword for each in fields.values() for keyword in each}


def test_a_reader_is_told_that_there_may_be_codes_that_it_does_not_know(document: Json) -> None:
    problem = document["components"]["schemas"]["Problem"]
    code = problem["properties"]["code"]
    listed = {
        each
        for answer in document["components"]["responses"].values()
        for each in answer["content"]["application/problem+json"]["examples"]
    }

    assert code["type"] == "string"
    assert "enum" not in code
    assert set(code["x-extensible-enum"]) == listed


def test_every_answer_says_which_headers_it_has(document: Json) -> None:
    for where, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert "Request-Id" in answer["headers"], (where, status)
            if status in {"429", "503"}:
                assert "Retry-After" in answer["headers"], (where, status)
    described = document["components"]["headers"]
    assert all(each["description"].endswith(".") for each in described.values())


def test_enumerations_are_open_where_clients_read_and_strict_where_they_write() -> None:
    document = document_of("query")
    listed = dict(operations(document))["GET /v1/restaurants/{restaurant}/orders"]
    schemas = document["components"]["schemas"]
    filters = {each["name"]: each["schema"] for each in listed["parameters"]}

    assert "ready" in schemas["ViewStatus"]["x-extensible-enum"]
    assert "ready" in filters["status"]["items"]["enum"]
    assert [name for name, each in schemas.items() if "enum" in each] == []


def test_no_answer_has_a_field_with_values_that_can_not_become_more(document: Json) -> None:
    answered = {**document["components"], "schemas": {}}
    for name, each in document["components"]["schemas"].items():
        if not name.endswith(("Body", "Request")):
            answered["schemas"][name] = each

    assert [each for each in parts(answered["schemas"]) if "enum" in each] == []


@pytest.mark.parametrize("service", ["serving", "query"])
def test_every_event_that_a_feed_shows_is_one_of_its_schema(service: str) -> None:
    document = document_of(service)
    for where, operation in operations(document):
        content = operation["responses"].get("200", {}).get("content", {}).get("text/event-stream")
        if content:
            assert content["schema"] == {"$ref": "#/components/schemas/EventStream"}
            schema = {**content["x-itemSchema"], "components": document["components"]}
            for event in events_of(content["example"]):
                Draft202012Validator(schema).validate(event)
        assert bool(content) == where.endswith("/live")


def test_an_event_that_is_of_no_feed_is_noticed() -> None:
    document = document_of("serving")
    schema = {"$ref": "#/components/schemas/QueueEvent", "components": document["components"]}

    assert not Draft202012Validator(schema).is_valid({"event": "tickets", "data": {}, "id": "1"})


def events_of(stream: str) -> Iterator[Json]:
    """The events of a stream, as a client reads them."""
    for block in stream.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        fields.pop("retry", None)
        yield fields | {"data": json.loads(fields["data"])}
