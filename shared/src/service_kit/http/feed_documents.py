"""Live feeds in an OpenAPI document: what their events are, and once how they are written.

OpenAPI 3.1 has no word for a stream's items, so a feed refers to its events by `x-itemSchema`, as
3.2 calls it without `x-`.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from service_kit.access.lease import Ending

Json = dict[str, Any]

Feeds = Mapping[str, Mapping[str, type[BaseModel]]]
"""The feeds by the name of their events' schema: for each event the model of its data."""

STREAM = "EventStream"
STREAM_SCHEMA: Json = {
    "type": "string",
    "title": STREAM,
    "description": "Server-Sent Events (WHATWG HTML, section 9.2), in UTF-8. An event is the lines "
    "`event: <name>`, `data: <JSON, on one line>` and `id: <position>`, and ends with an empty "
    "line. A line that begins with a colon is a comment, and `retry: <milliseconds>` says when "
    "to come back. Who comes back sends the last `id` as `Last-Event-ID`. The JSON of `data` "
    "is the field `data` of the event's schema (`x-itemSchema`); an event whose name is not known "
    "is to be ignored.",
}
END: Json = {
    "type": "object",
    "title": "FeedEnded",
    "description": "The last event of a feed whose reader would not be let in any more.",
    "required": ["event", "data"],
    "properties": {
        "event": {"type": "string", "const": "end"},
        "data": {
            "type": "object",
            "title": "FeedEnding",
            "required": ["reason"],
            "properties": {
                "reason": {"type": "string", "x-extensible-enum": [each.value for each in Ending]}
            },
        },
    },
}


def reference(name: str) -> Json:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def feed_schemas(feeds: Feeds) -> Json:
    """The components of these feeds: their events, one by one and together, and their data."""
    if not feeds:
        return {}
    ending = dict(END, properties=dict(END["properties"]))
    schemas: Json = {STREAM: STREAM_SCHEMA, "FeedEnded": ending}
    schemas["FeedEnding"] = ending["properties"]["data"]
    ending["properties"]["data"] = reference("FeedEnding")
    for feed, events in feeds.items():
        members = {"end": "FeedEnded"}
        for event, data in events.items():
            members[event] = f"{feed}{event.capitalize()}"
            schemas[members[event]] = _event(members[event], event, data)
            schemas |= _data(data)
        schemas[feed] = {
            "title": feed,
            "oneOf": [reference(each) for each in members.values()],
            "discriminator": {
                "propertyName": "event",
                "mapping": {name: reference(each)["$ref"] for name, each in members.items()},
            },
        }
    return schemas


def _event(title: str, name: str, data: type[BaseModel]) -> Json:
    return {
        "type": "object",
        "title": title,
        "required": ["event", "data", "id"],
        "properties": {
            "event": {"type": "string", "const": name},
            "data": reference(data.__name__),
            "id": {"type": "string"},
        },
    }


def _data(model: type[BaseModel]) -> Json:
    """The model's schema, and those that it refers to."""
    template = reference("{model}")["$ref"]
    schema = model.model_json_schema(ref_template=template, mode="serialization")
    return {**schema.pop("$defs", {}), model.__name__: schema}
