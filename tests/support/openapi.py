"""The services' OpenAPI documents, as programs read them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import ordering.bootstrap
import ordering.settings
import query.bootstrap
import query.settings
import serving.bootstrap
import serving.settings
from fastapi import FastAPI

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


APPS = {"ordering": ordering_app, "serving": serving_app, "query": query_app}


@cache
def document_of(service: str) -> Json:
    """The document of a service; it is made once, and nobody may change it."""
    document: Json = APPS[service]().openapi()
    return document


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    """Every operation by its method and path, its responses looked up where they are components."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield (
                f"{method.upper()} {path}",
                operation | {"responses": responses_of(document, operation)},
            )


def responses_of(document: Json, operation: Json) -> dict[str, Json]:
    """The responses of an operation by their status."""
    return {status: resolved(document, each) for status, each in operation["responses"].items()}


def resolved(document: Json, part: Json) -> Json:
    """The part itself, or the component that it refers to."""
    if "$ref" not in part:
        return part
    _, kind, name = part["$ref"].removeprefix("#/").split("/")
    component: Json = document["components"][kind][name]
    return component
