"""The headers of every event, and of commands, as JSON Schemas; an event's are CloudEvents 1.0."""

from typing import Any

from comanda_contracts import Event
from comanda_contracts.commands import EXPIRES_AFTER_S, REQUEST_ID_PATTERN

Schema = dict[str, Any]

_UUID = {"type": "string", "format": "uuid"}

PUBLISHERS_OWN = {
    "Comanda-Request": "by it a request of the kitchen that is sent again has one effect",
    "Comanda-Order-Version": "the order's version that such a request names",
    "Nats-Expected-Last-Subject-Sequence": "the ticket's message before it, by its sequence",
    "Nats-Expected-Last-Subject-Sequence-Subject": "what that one's subject looks like",
    "Nats-Batch-Id": "the messages that were stored together with it",
    "Nats-Batch-Sequence": "its place among these, from 1",
    "Nats-Batch-Commit": "`1` with the last of these",
}
"""Headers by which a service stores its messages once and in order; they tell a reader nothing."""

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
            "description": "When it happened: UTC, with six digits of a second; the same as `at`.",
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
        **{
            name: {"type": "string", "description": f"Its publisher's own: {said}."}
            for name, said in PUBLISHERS_OWN.items()
        },
    },
}


COMMAND_HEADERS: Schema = {
    "type": "object",
    "required": ["Comanda-Request-Id"],
    "properties": {
        "Comanda-Request-Id": {
            "type": "string",
            "pattern": REQUEST_ID_PATTERN,
            "description": "Names the request, unique in the restaurant: sent again within a day, "
            "it has no second effect and is answered again.",
        },
        "Comanda-Expires": {
            "type": "string",
            "format": "date-time",
            "description": "Until when the command may take effect; without it that is "
            f"{EXPIRES_AFTER_S // 60} minutes after it was stored.",
        },
        "Comanda-Reply-To": {
            "type": "string",
            "description": "Subject for the answer, if wanted: one below "
            "`replies.v1.<restaurant>.<till>.`.",
        },
        "Authorization": {
            "type": "string",
            "description": "`Bearer` and the access token of who sends it, with a role `till` or "
            "`manager` in the restaurant; good when the stream stores the command. Without it the "
            "answer is 401, without the role 403.",
        },
        "Comanda-Actor": {
            "type": "string",
            "description": "Names another actor than the token's subject, which needs the grant "
            "`act-as`.",
        },
        "Request-Id": {
            "type": "string",
            "pattern": REQUEST_ID_PATTERN,
            "description": "Names this one message for the sender, and is repeated in its answer. "
            "It is not kept, and decides nothing: a command that is sent again may have another.",
        },
        "traceparent": {"type": "string", "description": "W3C trace context, if there is one."},
    },
}


def headers_of(event: type[Event]) -> Schema:
    """What is the same in the headers of every such event."""
    return {
        "type": "object",
        "properties": {
            "ce-type": {"const": event.TYPE},
            "ce-source": {"const": event.SOURCE},
        },
    }
