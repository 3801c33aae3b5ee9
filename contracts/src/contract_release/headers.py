"""The headers of every event as a JSON Schema: CloudEvents 1.0 in NATS binary mode."""

from typing import Any

from comanda_contracts import Event

Schema = dict[str, Any]

_UUID = {"type": "string", "format": "uuid"}

HEADERS: Schema = {
    "type": "object",
    "description": "CloudEvents 1.0 attributes, one header each. Others may come with them.",
    "required": [
        *("ce-specversion", "ce-id", "ce-type", "ce-source", "ce-subject", "ce-time"),
        *("content-type", "Nats-Msg-Id"),
    ],
    "properties": {
        "ce-specversion": {"const": "1.0", "type": "string"},
        "ce-id": {
            **_UUID,
            "description": "Names this event for ever (a UUIDv7): drop what you have had before.",
        },
        "ce-type": {"type": "string", "description": "Which event it is, and its major version."},
        "ce-source": {"type": "string", "description": "The service that owns the aggregate."},
        "ce-subject": {
            "type": "string",
            "description": "What the event is about, unique in its restaurant.",
        },
        "ce-time": {
            "type": "string",
            "format": "date-time",
            "description": "When it happened: UTC, to the millisecond; the same as `at`.",
        },
        "content-type": {"const": "application/json", "type": "string"},
        "Nats-Msg-Id": {
            **_UUID,
            "description": "The same as `ce-id`: by it JetStream drops what is published twice.",
        },
        "traceparent": {
            "type": "string",
            "description": "W3C trace context of what caused the event, if it was traced.",
        },
        "tracestate": {"type": "string", "description": "Belongs to `traceparent`."},
    },
}


def headers_of(event: type[Event]) -> Schema:
    """What is the same in the headers of every such event."""
    return {
        "properties": {
            "ce-type": {"const": event.TYPE},
            "ce-source": {"const": event.SOURCE},
        }
    }
