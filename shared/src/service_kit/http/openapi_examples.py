"""Examples of request and response bodies in a service's OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

Json = dict[str, Any]

Examples = Mapping[type[BaseModel], Mapping[str, Any]]
"""For the model of a body its examples as JSON values, by name."""


def add_examples(app: FastAPI, examples: Examples) -> None:
    """Add the examples to the OpenAPI document wherever their model is a body.

    It replaces `app.openapi`, which is how FastAPI's documentation extends the document.
    """
    generated = app.openapi
    by_name = {model.__name__: shown for model, shown in examples.items()}

    def with_examples() -> Json:
        if app.openapi_schema is None:
            for content in _contents(generated()):
                if shown := _examples_of(content["schema"], by_name):
                    content["examples"] = {name: {"value": each} for name, each in shown.items()}
        return generated()

    app.openapi = with_examples  # type: ignore[method-assign]


def _contents(document: Json) -> Iterator[Json]:
    """The content of every request and response, by media type."""
    for path in document["paths"].values():
        for operation in path.values():
            for each in (operation.get("requestBody", {}), *operation["responses"].values()):
                yield from each.get("content", {}).values()


def _examples_of(schema: Json, by_name: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The examples of a body's model, or of each model of a union."""
    choices = (schema, *schema.get("oneOf", ()), *schema.get("anyOf", ()))
    names = [each["$ref"].rpartition("/")[2] for each in choices if "$ref" in each]
    return {name: each for model in names for name, each in by_name.get(model, {}).items()}
