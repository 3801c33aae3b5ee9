"""Enumerations in an OpenAPI document: open where clients read, strict where they write.

A reader has to accept a value that came with a later release, so in answers an enumeration is a
text with the values that are known. What a client sends is one of these, or is refused.
"""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

SCHEMA_PREFIX = "#/components/schemas/"


def operations(document: Json) -> Iterator[Json]:
    """Every operation of the document."""
    for path in document.get("paths", {}).values():
        yield from path.values()


def open_enumerations(document: Json) -> None:
    """Open the components that are enumerations; parameters get theirs written out before."""
    schemas = document["components"]["schemas"]
    enumerations = {name: each for name, each in schemas.items() if "enum" in each}
    written = set()
    for operation in operations(document):
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _written_out(parameter["schema"], enumerations)
        written |= _reached(operation.get("requestBody", {}), schemas)
    for name, enumeration in enumerations.items():
        if name not in written:
            schemas[name] = opened(enumeration)
    for name in enumerations.keys() - _reached(document["paths"], schemas):
        del schemas[name]  # it was of parameters alone


def opened(enumeration: Json) -> Json:
    """The schema of a text whose known values are the enumeration's."""
    others = {keyword: each for keyword, each in enumeration.items() if keyword != "enum"}
    return others | {"type": "string", "x-extensible-enum": enumeration["enum"]}


def _written_out(schema: Any, enumerations: Json) -> Any:
    """The schema with enumerations in place of what refers to them."""
    if isinstance(schema, list):
        return [_written_out(each, enumerations) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if (name := schema.get("$ref", "").removeprefix(SCHEMA_PREFIX)) in enumerations:
        others = {keyword: each for keyword, each in schema.items() if keyword != "$ref"}
        return {**enumerations[name], **others}
    return {keyword: _written_out(each, enumerations) for keyword, each in schema.items()}


def _reached(part: Any, schemas: Json) -> set[str]:
    """The components that the part refers to, by whatever way."""
    reached: set[str] = set()
    waiting = [part]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.values()
            name = str(each.get("$ref", "")).removeprefix(SCHEMA_PREFIX)
            if name in schemas and name not in reached:
                reached.add(name)
                waiting.append(schemas[name])
        elif isinstance(each, list):
            waiting += each
    return reached
