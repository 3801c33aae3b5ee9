"""A stored message in one line: for people, or as JSON."""

import json
from datetime import UTC

from comanda_contracts import MenuItem, Order, Restaurant, Ticket, Unreadable, read
from comanda_contracts.envelope import State, rfc3339
from nats.aio.msg import Msg

TYPE_PREFIX = "comanda."


def readable(message: Msg) -> str:
    """When, where, what and of what state; nothing in it moves a terminal's cursor."""
    stored = message.metadata
    at = stored.timestamp.astimezone(UTC).isoformat(timespec="milliseconds")
    where = f"{stored.stream} {stored.sequence.stream}"
    said = f"{at}  {where:<15} {_what(message)}"
    return "".join(each if each.isprintable() else "?" for each in said)


def as_json(message: Msg) -> str:
    """All of it. A body that is no JSON is a string."""
    stored = message.metadata
    return json.dumps(
        {
            "stream": stored.stream,
            "sequence": stored.sequence.stream,
            "stored_at": rfc3339(stored.timestamp),
            "subject": message.subject,
            "headers": {name: str(value) for name, value in (message.headers or {}).items()},
            "body": _json_or_text(message.data),
        }
    )


def _what(message: Msg) -> str:
    try:
        event = read(message.headers, message.data)
    except Unreadable as why:
        return f"{message.subject} can't be read: {why}"
    kind = event.TYPE.removeprefix(TYPE_PREFIX).rpartition(".")[0]
    said = f"{kind:<29} {event.state.restaurant}  {_state(event.state)} v{event.state.version}"
    return said + (f"  by {event.actor}" if event.actor else "")


def _state(state: State) -> str:
    match state:
        case Order():
            return f"{state.number} {state.status} {state.total} {state.currency}"
        case Ticket():
            return f"{state.number}/{state.round} {state.status}"
        case MenuItem():
            return f"{state.sku} {state.price}"
        case Restaurant():
            return state.name
        case _:
            return ""


def _json_or_text(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
