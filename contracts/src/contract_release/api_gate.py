"""The gate of the HTTP interfaces: what breaks a client of a service, from document to document.

A client sends what the old document lets it send, and reads what the new service answers. So we may
take more than before, never less, and answer less variously than before, never more, but for what
every client has to expect: further fields, codes, events, and values of open enumerations.
"""

# decision/0063: a client of the last release goes on working

from collections.abc import Iterator
from typing import Any

from contract_release.contract import Json
from contract_release.schema_diff import Effect, schema_changes

COMPONENTS, DEFINITIONS = "#/components/", "#/$defs/"
OPERATIONS = ("get", "put", "post", "delete", "patch")
FEED_EVENTS = "x-itemSchema"
ASKED_FOR = "304"
"""The status that is answered to nobody who does not ask for it, by `If-None-Match`."""


def broken_clients(old: Json, new: Json) -> list[str]:
    """What a client of the old document relies on, and the new one does not have."""
    old, new = _with_bare_schemas(old), _with_bare_schemas(new)
    found: dict[str, None] = {}
    for path, methods in old["paths"].items():
        for method in OPERATIONS:
            if method in methods:
                where = f"{method.upper()} {path}"
                after = new["paths"].get(path, {}).get(method)
                changes = _operation(methods[method], after, old, new) if after else ["was removed"]
                found |= dict.fromkeys(f"{where}: {each}" for each in changes)
    return list(found)


def _with_bare_schemas(document: Json) -> Json:
    """The document with its schemas as JSON Schema has them, once for all that refer to them."""
    components = document["components"]
    return {**document, "components": {**components, "schemas": _bare(components["schemas"])}}


def _operation(before: Json, after: Json, old: Json, new: Json) -> Iterator[str]:
    if before["operationId"] != after["operationId"]:
        yield f"is called {after['operationId']}, not {before['operationId']}"
    yield from _access(before, after)
    yield from _parameters(before, after, old, new)
    yield from _body(before.get("requestBody", {}), after.get("requestBody", {}), old, new)
    yield from _answers(before["responses"], after["responses"], old, new)


def _access(before: Json, after: Json) -> Iterator[str]:
    if _is_public(after):
        return
    if _is_public(before):
        yield "now needs a token"
    for role in sorted(_roles(before) - _roles(after)):
        yield f"may no longer be asked by {role}"


def _roles(operation: Json) -> set[str]:
    return {
        role for each in operation.get("security", ()) for roles in each.values() for role in roles
    }


def _is_public(operation: Json) -> bool:
    """Whether nothing is needed, or nothing is one of the ways."""
    ways = operation.get("security", ())
    return not ways or {} in ways


def _parameters(before: Json, after: Json, old: Json, new: Json) -> Iterator[str]:
    known = {(each["in"], each["name"]): each for each in before.get("parameters", ())}
    given = {(each["in"], each["name"]): each for each in after.get("parameters", ())}
    for key, each in given.items():
        if each.get("required") and not known.get(key, {}).get("required"):
            yield f"{key[1]} is now required"
    for key, each in known.items():
        if key not in given:
            yield f"{key[1]} is no longer taken"
        else:
            yield from _narrowed(each["schema"], given[key]["schema"], key[1], old, new)


def _body(before: Json, after: Json, old: Json, new: Json) -> Iterator[str]:
    if after.get("required") and not before.get("required"):
        yield "needs a body now"
    for kind, content in before.get("content", {}).items():
        if kind not in after.get("content", {}):
            yield f"takes no {kind} any more"
        else:
            yield from _narrowed(
                content["schema"], after["content"][kind]["schema"], "the body", old, new
            )


def _answers(before: Json, after: Json, old: Json, new: Json) -> Iterator[str]:
    for status in sorted(after.keys() - before.keys()):
        if status < "400" and status != ASKED_FOR:
            yield f"may now answer {status}"
    for status, shared in before.items():
        if status not in after:
            if status < "400":
                yield f"no longer answers {status}"
            continue
        was, will = _resolved(shared, old), _resolved(after[status], new)
        for name in was.get("headers", {}).keys() - will.get("headers", {}).keys():
            yield f"{status} has no {name} any more"
        yield from _media_types(was.get("content", {}), will.get("content", {}), status)
        for kind, content in was.get("content", {}).items():
            if kind not in will.get("content", {}):
                yield f"{status} is no {kind} any more"
            else:
                shown = will["content"][kind]
                yield from _widened(content["schema"], shown["schema"], status, old, new)
                yield from _events(content, shown, old, new)


def _media_types(before: Json, after: Json, status: str) -> Iterator[str]:
    """Those that are new: a client reads its answers as one of the old, or not at all."""
    for kind in sorted(after.keys() - before.keys()) if before else ():
        yield f"{status} may now be {kind}"


def _events(before: Json, after: Json, old: Json, new: Json) -> Iterator[str]:
    """Each event of a feed by its name; more of them break nobody."""
    if FEED_EVENTS not in before:
        return
    was = _resolved(before[FEED_EVENTS], old)["discriminator"]["mapping"]
    will = _resolved(after.get(FEED_EVENTS, {}), new).get("discriminator", {}).get("mapping", {})
    for event, schema in was.items():
        if event not in will:
            yield f"sends no {event} any more"
        else:
            yield from _widened({"$ref": schema}, {"$ref": will[event]}, event, old, new)


def _narrowed(before: Json, after: Json, what: str, old: Json, new: Json) -> Iterator[str]:
    """What may no longer be sent."""
    for change in schema_changes(_whole(before, old), _whole(after, new)):
        if Effect.FEWER in change.effect:
            yield f"{what}: {change}"


def _widened(before: Json, after: Json, what: str, old: Json, new: Json) -> Iterator[str]:
    """What may now be answered."""
    for change in schema_changes(_whole(before, old), _whole(after, new)):
        if Effect.MORE in change.effect:
            yield f"{what}: {change}"


def _whole(schema: Json, document: Json) -> Json:
    """The schema with all that it may refer to, as JSON Schema has it."""
    return {**_bare(schema), "$defs": document["components"]["schemas"]}


def _bare(part: Any) -> Any:
    """Without what is for people and generators alone, its references within the schema."""
    if isinstance(part, list):
        return [_bare(each) for each in part]
    if not isinstance(part, dict):
        return part
    bare = {keyword: _bare(each) for keyword, each in part.items() if not keyword.startswith("x-")}
    if isinstance(bare.get("$ref"), str):
        bare["$ref"] = bare["$ref"].replace(f"{COMPONENTS}schemas/", DEFINITIONS)
    return bare


def _resolved(part: Json, document: Json) -> Json:
    if "$ref" not in part:
        return part
    kind, _, name = part["$ref"].removeprefix(COMPONENTS).partition("/")
    component: Json = document["components"][kind][name]
    return component
