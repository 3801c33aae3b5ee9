"""The AsyncAPI 3 document: the contract for people, and for tools of any language."""

# decision/0011: the generator is no part of the wheel

import json
from uuid import UUID

from comanda_contracts import Event, seal, streams
from comanda_contracts.examples import EXAMPLES, PLACE_ORDER
from comanda_contracts.streams import Archive, Stream

from contract_release.asyncapi_texts import CONSUMER, INFO, PARAMETERS, SERVER, TITLES
from contract_release.contract import ADDRESSES, Json, address, everywhere, stream_of
from contract_release.headers import COMMAND_HEADERS, headers_of

NATS_BINDING = {"nats": {"bindingVersion": "0.1.0"}}
EXAMPLE_ID = UUID("0199b1c2-7d3e-7a4f-8b5c-6d7e8f901234")


def document(contract: Json) -> Json:
    """The whole document."""
    of_events = {stream: _events_of(stream) for stream in TITLES if stream is not streams.COMMANDS}
    commands = contract["commands"]
    return {
        "asyncapi": "3.0.0",
        "info": {**INFO, "version": contract["version"]},
        "defaultContentType": "application/json",
        "servers": {"nats": SERVER},
        "channels": {
            **{_key(s): _channel(s, {e.TYPE: e.leaf for e in of_events[s]}) for s in of_events},
            "commands": _channel(streams.COMMANDS, {name: name for name in commands}),
            "answers": _answers(),
        },
        "operations": {
            **{
                f"publish{TITLES[stream]}": _publish(stream)
                for stream in of_events
                if not isinstance(stream, Archive)
            },
            **{f"subscribeTo{TITLES[stream]}": _subscribe(stream) for stream in of_events},
            **_command_operations(),
        },
        "components": {
            "messages": {
                **{event.TYPE: _event(event, contract) for event in EXAMPLES},
                **{name: _command(name, commands[name]) for name in commands},
                "answer": _answer(),
            },
            "schemas": _schemas(contract),
            "securitySchemes": {"user": {"type": "userPassword", "description": "One per team."}},
        },
    }


def _channel(stream: Stream, messages: dict[str, str]) -> Json:
    """`messages` are the names of events or commands by the names of their messages."""
    parameters = {part: dict(PARAMETERS[part]) for part in ADDRESSES[stream.name]}
    parameters[ADDRESSES[stream.name][-1]]["enum"] = list(messages.values())
    return {
        "address": address(stream),
        "title": TITLES[stream],
        "description": _about(stream),
        "parameters": parameters,
        "messages": {name: _reference("messages", name) for name in messages},
        "bindings": NATS_BINDING,
        "x-jetstream-stream": {
            "name": stream.name,
            **({} if isinstance(stream, Archive) else {"subjects": [stream.subject]}),
            "retention": "workqueue" if stream.work_queue else "limits",
            "max_age_seconds": stream.max_age,
            **({"kept_at_least_seconds": kept} if (kept := stream.kept_at_least) else {}),
            "duplicate_window_seconds": stream.duplicate_window,
            **({"max_msgs_per_subject": 1} if stream.newest_only else {}),
            **(_mirror(stream) if isinstance(stream, Archive) else {}),
        },
    }


def _about(stream: Stream) -> str:
    set_up = f"Stream `{stream.name}`, set up by {stream.owner}."
    if not isinstance(stream, Archive):
        return set_up
    return (
        f"{set_up} It has every message of `{stream.origin}` a moment later, with its sequence, "
        "headers and body, for as long as the operator says."
    )


def _mirror(archive: Archive) -> Json:
    transform = {"src": archive.origin_subject, "dest": archive.archived_subject}
    return {"mirror": {"name": archive.origin, "subject_transforms": [transform]}}


def _publish(stream: Stream) -> Json:
    return {
        "action": "send",
        "channel": _channel_reference(stream),
        "summary": f"{stream.owner.title()} publishes each change of its {_key(stream)}.",
        "description": "At least once, and per aggregate in the order of its versions.",
        "tags": [{"name": stream.owner}],
        "bindings": NATS_BINDING,
    }


def _subscribe(stream: Stream) -> Json:
    events = _events_of(stream)
    return {
        "action": "receive",
        "channel": _channel_reference(stream),
        "summary": f"A subscriber reads {_key(stream)} by the durable pull consumer of its team.",
        "description": "Drop what was read before by `ce-id`; of one aggregate keep the highest "
        "`version`. A team is granted the whole stream, or any narrower subjects, such as:\n\n"
        + "\n".join(f"- `{everywhere(stream, event.leaf)}`" for event in events),
        "tags": [{"name": "subscriber"}],
        "bindings": NATS_BINDING,
        "x-jetstream-consumer": {
            **CONSUMER,
            "filter_subjects": [stream.subject],
        },
    }


def _command_operations() -> Json:
    channel = _channel_reference(streams.COMMANDS)
    return {
        "sendCommand": {
            "action": "send",
            "channel": channel,
            "summary": "A till asks ordering to change an order.",
            "description": "It may be sent again, with the same `Comanda-Request-Id`, until it is "
            "answered.",
            "tags": [{"name": "till"}],
            "bindings": NATS_BINDING,
        },
        "carryOutCommand": {
            "action": "receive",
            "channel": channel,
            "summary": "Ordering carries each command out once, and answers.",
            "description": "Until the time in `Comanda-Expires`; one that comes again is answered "
            "as the first time.",
            "tags": [{"name": "ordering"}],
            "bindings": NATS_BINDING,
            "reply": {
                "address": {"location": "$message.header#/Comanda-Reply-To"},
                "channel": {"$ref": "#/channels/answers"},
            },
        },
    }


def _answers() -> Json:
    return {
        "address": None,
        "title": "Answers",
        "description": "The subject that the command's header `Comanda-Reply-To` names.",
        "messages": {"answer": _reference("messages", "answer")},
    }


def _event(event: Event, contract: Json) -> Json:
    message = seal(event, event_id=EXAMPLE_ID)
    return {
        "name": event.TYPE,
        "title": type(event).__name__,
        "summary": contract["events"][event.TYPE]["schema"]["description"],
        "headers": {
            "type": "object",
            "allOf": [_reference("schemas", "Headers"), headers_of(type(event))],
        },
        "payload": _reference("schemas", type(event).__name__),
        "x-subject": contract["events"][event.TYPE]["subject"],
        "examples": [
            {
                "name": event.name,
                "summary": f"On {event.subject}",
                "headers": dict(message.headers),
                "payload": json.loads(message.body),
            }
        ],
    }


def _command(name: str, command: Json) -> Json:
    schema = command["schema"]
    example = (
        {"examples": [{"name": name, "payload": PLACE_ORDER}]} if name == "place-order" else {}
    )
    return {
        "name": name,
        "title": name,
        "summary": schema.get("description", "A new order, of guests at a table or to take away."),
        "headers": COMMAND_HEADERS,
        "payload": _reference("schemas", _command_key(name)),
        "x-subject": command["subject"],
        **example,
    }


def _answer() -> Json:
    return {
        "name": "answer",
        "title": "Answer",
        "summary": "The order as it now is, or RFC 9457 problem details.",
        "headers": {
            "type": "object",
            "required": ["Comanda-Status", "content-type"],
            "properties": {
                "Comanda-Status": {"type": "string", "description": "As in HTTP, such as 201."},
                "content-type": {
                    "type": "string",
                    "description": "`application/json`, or `application/problem+json`.",
                },
                "Request-Id": {
                    "type": "string",
                    "description": "The command's, if it has one.",
                },
                "Comanda-Guest-Token": {
                    "type": "string",
                    "description": "Of a placed order, where its guest may look at it: what lets "
                    "him, for a day. For his link, and to be kept nowhere.",
                },
                "Retry-After": {
                    "type": "string",
                    "description": "Seconds after which to send the command again, with its "
                    "Comanda-Request-Id: of 429.",
                },
            },
        },
        "payload": {"anyOf": [_reference("schemas", "Order"), {"type": "object"}]},
    }


def _schemas(contract: Json) -> Json:
    """Every model once, by its name."""
    tops = {type(event).__name__: contract["events"][event.TYPE]["schema"] for event in EXAMPLES}
    tops |= {_command_key(name): each["schema"] for name, each in contract["commands"].items()}
    models: Json = {"Headers": contract["headers"]}
    for name, schema in tops.items():
        here = json.loads(json.dumps(schema).replace("#/$defs/", "#/components/schemas/"))
        models |= here.pop("$defs", {})
        here.pop("discriminator", None)  # OpenAPI's, not that of AsyncAPI
        models[name] = here
    return dict(sorted(models.items()))


def _events_of(stream: Stream) -> list[Event]:
    name = stream.origin if isinstance(stream, Archive) else stream.name
    return [event for event in EXAMPLES if stream_of(event).name == name]


def _command_key(name: str) -> str:
    return "".join(part.title() for part in name.split("-"))


def _key(stream: Stream) -> str:
    return stream.name.lower()


def _channel_reference(stream: Stream) -> Json:
    return {"$ref": f"#/channels/{_key(stream)}"}


def _reference(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}
