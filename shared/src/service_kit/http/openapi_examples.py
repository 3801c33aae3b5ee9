"""Examples in a service's OpenAPI, of the bodies that are sent and answered."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

Json = dict[str, Any]

Examples = Mapping[type[BaseModel], Mapping[str, Any]]
"""By the model of a body, its examples as JSON holds them, each with a name."""


def illustrate(app: FastAPI, examples: Examples) -> None:
    """Have the application's OpenAPI show the examples wherever their model is sent or answered.

    It is done as FastAPI's documentation extends OpenAPI: in place of the method.
    """
    generated = app.openapi
    by_name = {model.__name__: shown for model, shown in examples.items()}

    def illustrated() -> Json:
        if app.openapi_schema is None:
            for content in _contents(generated()):
                if shown := _of(content["schema"], by_name):
                    content["examples"] = {name: {"value": each} for name, each in shown.items()}
        return generated()

    app.openapi = illustrated  # type: ignore[method-assign]


def _contents(document: Json) -> Iterator[Json]:
    """Of every request and answer what it may hold."""
    for path in document["paths"].values():
        for operation in path.values():
            for each in (operation.get("requestBody", {}), *operation["responses"].values()):
                yield from each.get("content", {}).values()


def _of(schema: Json, by_name: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The examples of a model, or of each that the body may be."""
    choices = (schema, *schema.get("oneOf", ()), *schema.get("anyOf", ()))
    names = [each["$ref"].rpartition("/")[2] for each in choices if "$ref" in each]
    return {name: each for model in names for name, each in by_name.get(model, {}).items()}
