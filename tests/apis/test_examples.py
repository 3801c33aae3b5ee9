"""The services' OpenAPI shows an example of all that is asked and answered, and each is right."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.openapi import APPS, Json, document_of, operations, resolved


@pytest.fixture(params=APPS, scope="module")
def document(request: pytest.FixtureRequest) -> Json:
    return document_of(request.param)


def bodies(document: Json) -> Iterator[tuple[str, Json]]:
    """What may be sent and answered, by where it is."""
    for where, operation in operations(document):
        sent = {"body": operation["requestBody"]} if "requestBody" in operation else {}
        for name, each in (sent | operation["responses"]).items():
            for kind, content in each.get("content", {}).items():
                yield f"{where} {name} {kind}", content


def parameters(document: Json) -> Iterator[tuple[str, Json]]:
    for where, operation in operations(document):
        for each in operation.get("parameters", ()):
            yield f"{where} {each['in']} {each['name']}", each


def examples_of(shown: Json) -> list[Any]:
    """Of a parameter or a body, wherever OpenAPI lets them stand."""
    own = [each["value"] for each in shown.get("examples", {}).values()]
    own += [shown["example"]] if "example" in shown else []
    return [*own, *shown["schema"].get("examples", [])]


def complaints(document: Json, schema: Json, example: Any) -> list[str]:
    whole = {**schema, "components": document["components"]}
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{each.json_path}: {each.message}" for each in validator.iter_errors(example)]


def unshown(document: Json, schema: Json, values: list[Any], path: str = "") -> Iterator[str]:
    """The fields that have no value in any example."""
    schema = resolved(document, schema)
    for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from unshown(document, choice, values, path)
    if "items" in schema:
        inner = [each for value in values if isinstance(value, list) for each in value]
        yield from unshown(document, schema["items"], inner, path)
    for name, field in schema.get("properties", {}).items():
        given = [each[name] for each in values if isinstance(each, dict) and name in each]
        if not given:
            yield f"{path}.{name}"
        yield from unshown(document, field, given, f"{path}.{name}")


def test_every_body_has_an_example(document: Json) -> None:
    assert [where for where, shown in bodies(document) if not examples_of(shown)] == []


def test_every_parameter_has_an_example(document: Json) -> None:
    assert [where for where, shown in parameters(document) if not examples_of(shown)] == []


def test_every_field_of_a_request_is_in_an_example(document: Json) -> None:
    sent = ((where, shown) for where, shown in bodies(document) if " body " in where)

    assert [
        f"{where}{field}"
        for where, shown in sent
        for field in unshown(document, shown["schema"], examples_of(shown))
    ] == []


def test_every_example_is_as_its_schema_says(document: Json) -> None:
    assert [
        f"{where}: {complaint}"
        for where, shown in (*bodies(document), *parameters(document))
        for example in examples_of(shown)
        for complaint in complaints(document, shown["schema"], example)
    ] == []


def test_a_wrong_example_is_noticed() -> None:
    document = deepcopy(document_of("query"))
    [content] = [each for where, each in bodies(document) if "/board 200" in where]
    [board] = examples_of(content)
    del board["ready"][0]["number"]

    assert complaints(document, content["schema"], board) != []


def test_every_refusal_of_an_example_names_its_status(document: Json) -> None:
    problems = [(where, each) for where, each in bodies(document) if "problem+json" in where]

    assert [
        where
        for where, shown in problems
        for example in examples_of(shown)
        if f" {example['status']} " not in where
    ] == []
