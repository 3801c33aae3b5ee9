"""The services' OpenAPI shows an example of all that is asked and answered, and each is right."""

from collections.abc import Iterator
from typing import Any

import ordering.bootstrap
import ordering.settings
import pytest
import query.bootstrap
import query.settings
import serving.bootstrap
import serving.settings
from fastapi import FastAPI
from jsonschema import Draft202012Validator

Json = dict[str, Any]

NATS = "nats://nats:4222"
"""Of a server that is never asked: what is documented depends on none."""


def ordering_app() -> FastAPI:
    url = "postgresql+asyncpg://postgres/comanda"
    return ordering.bootstrap.bootstrap(ordering.settings.Settings(nats_url=NATS, database_url=url))


def serving_app() -> FastAPI:
    return serving.bootstrap.bootstrap(serving.settings.Settings(nats_url=NATS))


def query_app() -> FastAPI:
    url = "mongodb://mongo/comanda"
    return query.bootstrap.bootstrap(query.settings.Settings(nats_url=NATS, mongodb_url=url))


@pytest.fixture(params=[ordering_app, serving_app, query_app], scope="module")
def document(request: pytest.FixtureRequest) -> Json:
    document: Json = request.param().openapi()
    return document


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


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


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
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
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
    document = query_app().openapi()
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
