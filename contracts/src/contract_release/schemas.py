"""The JSON Schemas of events, commands and headers, as files that need nothing else."""

from typing import Any

from comanda_contracts.examples import EXAMPLES

from contract_release.contract import Json

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schemas(contract: Json) -> dict[str, Json]:
    """Every schema by its file's name; its `$id` names it for ever and is no address."""
    examples = {event.TYPE: event.model_dump(mode="json") for event in EXAMPLES}
    files = {"headers": _file("headers", contract["headers"])}
    for name, event in contract["events"].items():
        files[name] = _file(name, event["schema"], examples=[examples[name]])
    for name, command in contract["commands"].items():
        files[f"commands.{name}"] = _file(f"commands.{name}", command["schema"])
    return files


def _file(name: str, schema: Json, **more: Any) -> Json:
    return {"$schema": DRAFT, "$id": f"urn:comanda:schema:{name}", **_plain(schema), **more}


def _plain(schema: Any) -> Any:
    """The same without OpenAPI's hint, and with null beside a type instead of a union with it.

    So strict validators compile it, and generators make a type that may be null of it.
    """
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(each) for name, each in schema.items() if name != "discriminator"}
    match plain.get("anyOf"):
        case [{"type": str(kind), **other}, {"type": "null"}]:
            del plain["anyOf"]
            return {"type": [kind, "null"], **other, **plain}
        case _:
            return plain
