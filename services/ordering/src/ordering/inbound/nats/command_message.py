"""A command as it comes over NATS: its subject, its headers and its body.

`Authorization` holds the token of whoever sends it, which has to be good when the stream stores the
command. `Comanda-Request-Id` names the request among the sender's in its restaurant: sent again, it
has no second effect and is answered again. `Comanda-Expires` says until when it may take effect.
`Comanda-Reply-To` names the subject of the answer, below `replies.v1.<restaurant>.` or an inbox.
`Comanda-Actor` names another actor than the token's subject, if the token may. `Request-Id` names
this one message for its sender: the answer repeats it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from comanda_contracts import Unreadable, subjects
from comanda_contracts.commands import COMMAND_BODIES, EXPIRES_AFTER_S, REQUEST_ID_PATTERN
from comanda_contracts.subjects import SLUG_PATTERN
from nats.aio.msg import Msg
from service_kit.http.problems import FieldError

from ordering.application.keyed_request import KeyedRequest
from ordering.domain.events import Sender
from ordering.inbound.bodies import ACTOR_PATTERN

REPLY_PATTERN = r"(replies\.v1|_INBOX[A-Za-z0-9_-]*)(\.[A-Za-z0-9_-]+)+"
"""The subjects to which an answer may go: ordering may publish events, its clients may not."""

REPLY_CHARACTERS_MAX = 255

MESSAGE_ID_PATTERN = r"[!-~]{1,128}"
"""The ids of messages that are kept as they are; of another a digest is."""

RFC3339_PATTERN = r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"


@dataclass(frozen=True, slots=True)
class CommandMessage:
    """A command: its name, its body as JSON, its sender, and what is to become of it.

    With `faults` it is answered with them and nothing else; then it has no `request`. `stored_at_s`
    is when the stream stored one with an `authorization`, in seconds since the epoch; `by` is who
    that turned out to be.
    """

    restaurant: str
    name: str
    body: dict[str, Any]
    actor: str | None
    reply_to: str | None
    request: KeyedRequest | None = None
    expires_at: datetime | None = None
    faults: tuple[FieldError, ...] = ()
    authorization: str | None = field(default=None, repr=False)
    stored_at_s: float = 0.0
    correlation_id: str | None = None
    by: Sender | None = None


def read_command(message: Msg) -> CommandMessage:
    """The command in a message.

    Raises Unreadable if it is none, or its body no JSON object, or if it has no name or no good
    time and nobody is to be told so.
    """
    headers = message.headers or {}
    restaurant, command = subjects.parse_command(message.subject)
    if command not in COMMAND_BODIES:
        raise Unreadable(f"{command!r} is not a command")
    if not re.fullmatch(SLUG_PATTERN, restaurant):
        raise Unreadable(f"{restaurant!r} is not the slug of a restaurant")
    actor = headers.get("Comanda-Actor")
    if actor is not None and not re.fullmatch(ACTOR_PATTERN, actor):
        raise Unreadable("header Comanda-Actor is not a name")
    reply_to = headers.get("Comanda-Reply-To")
    if reply_to is not None and not _may_be_answered_to(reply_to, restaurant):
        own = f"replies.v1.{restaurant}."
        raise Unreadable(f"header Comanda-Reply-To is not below {own} or an inbox")
    authorization = headers.get("Authorization")
    body = _json_object(message.data)
    faults = _faults(headers)
    if faults and reply_to is None:
        raise Unreadable("; ".join(f"header {each.field}: {each.detail}" for each in faults))
    if faults:
        request, expires_at = None, None
    else:
        request = KeyedRequest(restaurant, _key(headers), _fingerprint(message))
        expires_at = _expires_at(message)
    return CommandMessage(
        restaurant,
        command,
        body,
        actor,
        reply_to,
        request,
        expires_at,
        faults,
        authorization=authorization,
        stored_at_s=message.metadata.timestamp.timestamp() if authorization else 0.0,
        correlation_id=_correlation_id(headers.get("Request-Id")),
    )


def _correlation_id(text: str | None) -> str | None:
    """What the answer repeats: no command is refused for it."""
    return text if text is not None and re.fullmatch(REQUEST_ID_PATTERN, text) else None


# decision/0045: a command is answered in its own restaurant
def _may_be_answered_to(reply_to: str, restaurant: str) -> bool:
    if len(reply_to) > REPLY_CHARACTERS_MAX or not re.fullmatch(REPLY_PATTERN, reply_to):
        return False
    return not reply_to.startswith("replies.") or reply_to.startswith(f"replies.v1.{restaurant}.")


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"body: not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Unreadable("body: not a JSON object")
    return body


def _faults(headers: Mapping[str, str]) -> tuple[FieldError, ...]:
    """What is wrong with the headers that decide whether the command has an effect."""
    faults = []
    request_id = headers.get("Comanda-Request-Id")
    if request_id is not None and not re.fullmatch(REQUEST_ID_PATTERN, request_id):
        detail = "1 to 128 visible ASCII letters are wanted"
        faults.append(FieldError(field="Comanda-Request-Id", detail=detail))
    if request_id is None and not headers.get("Nats-Msg-Id"):
        detail = "is missing: it names the request, so that it has one effect"
        faults.append(FieldError(field="Comanda-Request-Id", detail=detail))
    expires = headers.get("Comanda-Expires")
    if expires is not None and _rfc3339(expires) is None:
        faults.append(FieldError(field="Comanda-Expires", detail="is not a time by RFC 3339"))
    return tuple(faults)


# decision/0039: a command says who it is and how long it is meant
def _key(headers: Mapping[str, str]) -> str:
    """The request's key, apart from those of HTTP, which hold no blank and begin otherwise."""
    if request_id := headers.get("Comanda-Request-Id"):
        return f"request {request_id}"
    name = headers["Nats-Msg-Id"]  # read for one release more
    if not re.fullmatch(MESSAGE_ID_PATTERN, name):
        name = f"sha256-{hashlib.sha256(name.encode()).hexdigest()}"
    return f"message/{name}"


def _fingerprint(message: Msg) -> str:
    return hashlib.sha256(message.subject.encode() + b"\n" + message.data).hexdigest()


def _expires_at(message: Msg) -> datetime | None:
    """Until when it may take effect; None if an operator replays it, who decides that himself."""
    expires = _rfc3339((message.headers or {}).get("Comanda-Expires", ""))
    if expires is not None:
        return expires
    stored_at: datetime = message.metadata.timestamp
    if stored_at.timestamp() == 0:  # a replay says no time
        return None
    return stored_at + timedelta(seconds=EXPIRES_AFTER_S)


def _rfc3339(text: str) -> datetime | None:
    """The time that the text gives; None if it gives none."""
    if not re.fullmatch(RFC3339_PATTERN, text, re.ASCII):
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None
