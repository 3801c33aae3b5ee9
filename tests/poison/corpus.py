"""The poison corpus: what nobody should send, and somebody does. Add to `MESSAGES` whatever hurt.

Each is a message as bytes on the wire, since much of it no client library would send, and how it
has to end. Requests over HTTP are in `requests.py`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

from comanda_contracts import (
    Event,
    MenuItemSet,
    OrderPlaced,
    RestaurantSet,
    TicketQueued,
    TicketServed,
    seal,
)
from comanda_contracts.examples import EXAMPLES
from comanda_contracts.streams import MESSAGE_BYTES_MAX

RESTAURANT = "r-poison"
"""The restaurant that all this is sent to, unless it names another."""
NOBODYS = "r-nowhere"
"""A restaurant that nobody opened."""
NEXT_REPLY = "{reply}"
"""Stands for the subject of the answer, which the test listens to."""
NEXT_TOKEN = "{token}"
"""Stands for a token with which all this is allowed."""


class Ends(Enum):
    """How a message ends for each of its consumers: exactly once, in one of these ways."""

    ANSWERED = "one answer and no letter"
    SET_ASIDE = "one dead letter"
    UNKNOWN = "one dead letter with the reason unknown-type"
    ANYHOW = "done, or one dead letter"


@dataclass(frozen=True)
class Poison:
    """A message on the wire, and its end."""

    name: str
    subject: bytes
    body: bytes
    ends: Ends
    headers: bytes = b""
    """The whole block, from `NATS/1.0` to the empty line; none if it is empty."""


def block(headers: Mapping[str, str | bytes], first_line: bytes = b"NATS/1.0") -> bytes:
    lines = [
        name.encode() + b": " + (text if isinstance(text, bytes) else text.encode())
        for name, text in headers.items()
    ]
    return b"\r\n".join([first_line, *lines, b"", b""])


TAKEAWAY: dict[str, Any] = {
    "channel": "takeaway",
    "customer": "Mallory",
    "lines": [{"sku": "margherita", "quantity": 1}],
}
ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e"
DEEP = b"[" * 200_000
JUNK = b"\xff\x00\x1b[31m" * 147_000


def command(
    name: str,
    ends: Ends,
    body: bytes | dict[str, Any] | None = None,
    *,
    to: str | bytes = f"{RESTAURANT}.place-order",
    first_line: bytes = b"NATS/1.0",
    **headers: str | bytes,
) -> Poison:
    """A command that asks for an answer; `_` in a header's name is a hyphen."""
    if body is None:
        body = TAKEAWAY
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    own = {key.replace("_", "-"): text for key, text in headers.items()}
    whole = {"Nats-Msg-Id": uuid4().hex, "Comanda-Reply-To": NEXT_REPLY} | own
    whole |= {"Authorization": f"Bearer {NEXT_TOKEN}"}
    rest = to if isinstance(to, bytes) else to.encode()
    return Poison(name, b"commands.v1." + rest, content, ends, block(whole, first_line))


def commands() -> Iterator[Poison]:
    """What a till may send to ordering."""
    answered, aside, anyhow = Ends.ANSWERED, Ends.SET_ASIDE, Ends.ANYHOW
    yield command("an id with a NUL", answered, Nats_Msg_Id=b"till-7\x00")
    yield command("an id of 9,000 characters", answered, Nats_Msg_Id="n" * 9_000)
    yield command("an id that is no UTF-8", answered, Nats_Msg_Id=b"\xff\xfe\xfd")
    yield command("an id of escapes", answered, Nats_Msg_Id=ESCAPES)
    yield command("an empty body", aside, b"")
    yield command("a megabyte of junk", aside, JUNK)
    yield command("deep arrays", aside, DEEP)
    yield command("deep objects", aside, b'{"a":' * 150_000)
    yield command("an array", aside, b"[]")
    yield command("NULs", aside, bytes(4096))
    yield command("UTF-16", answered, json.dumps(TAKEAWAY).encode("utf-16"))
    yield command("a number of 5,000 digits", aside, b'{"a": ' + b"9" * 5_000 + b"}")
    yield command("an unknown command", aside, to=f"{RESTAURANT}.fly")
    yield command("no slug", aside, to="LA_PIAZZA.place-order")
    yield command("too many words", aside, to="a.b.c.d.place-order")
    yield command("a subject that is no UTF-8", aside, to=b"\xff\xfe.place-order")
    yield command("a restaurant of 3,000 characters", aside, to="r" * 3_000 + ".place-order")
    yield command("a restaurant that nobody opened", answered, to=f"{NOBODYS}.place-order")
    long_reply = "replies.v1." + "r" * 9_000
    yield command("a reply subject of 9,000 characters", aside, Comanda_Reply_To=long_reply)
    others = "replies.v1.la-piazza.1.17"
    yield command("a reply to another restaurant", aside, Comanda_Reply_To=others)
    yield command("a reply to everybody", aside, Comanda_Reply_To="replies.v1.>")
    yield command("a reply to a stream", aside, Comanda_Reply_To="orders.v1.a.b.placed")
    yield command("an actor of escapes", aside, Comanda_Actor=ESCAPES)
    yield command("an actor of 10,000 characters", aside, Comanda_Actor="a" * 10_000)
    yield command("faults without end", answered, {**TAKEAWAY, "x" * 400_000: 1, "y" * 400_000: 2})
    yield command("100,000 faulty lines", answered, {**TAKEAWAY, "lines": [{}] * 100_000})
    yield command("a customer with a NUL", answered, {**TAKEAWAY, "customer": "a\x00b"})
    yield command("half a character", answered, {**TAKEAWAY, "customer": "\ud800"})
    absurd = {"sku": "margherita", "quantity": 10**300}
    yield command("an absurd quantity", answered, {**TAKEAWAY, "lines": [absurd]})
    twice = b'{"channel": "dine_in", "channel": "takeaway", "customer": "A", "lines": []}'
    yield command("a key twice", answered, twice)
    no_id = {"order_id": "x" * 100_000}
    yield command("no order id", answered, no_id, to=f"{RESTAURANT}.close-order")
    late = {"order_id": str(UUID(int=1)), "expected_version": 10**30}
    yield command("an absurd version", answered, late, to=f"{RESTAURANT}.close-order")
    yield command("a trace of garbage", answered, traceparent="00-zz-zz-zz", tracestate=ESCAPES)
    yield command("a status of a server", anyhow, first_line=b"NATS/1.0 404 No Messages")
    yield command("another status", anyhow, first_line=b"NATS/1.0 409 Consumer Deleted")
    yield command("a heartbeat", anyhow, b"", first_line=b"NATS/1.0 100 Idle Heartbeat")
    yield command("a first line of no UTF-8", anyhow, first_line=b"NATS/1.0 \xff\xfe \xfd")
    yield command("a status among the headers", answered, Status="503", Description="x")
    yield command("junk with a forged reason", aside, b"{", Comanda_Reason=ESCAPES, Status="404")
    yield command("60,000 characters of headers", aside, b"{", noise="n" * 60_000)
    odd = b"NATS/1.0\r\nno colon\r\n: no name\r\n(odd) name: x\r\n\xff: y\r\n\r\n"
    yield Poison("odd headers", f"commands.v1.{RESTAURANT}.fly".encode(), b"\xff", aside, odd)


def example(kind: type[Event]) -> Event:
    return next(each for each in EXAMPLES if type(each) is kind)


def altered(kind: type[Event], **changes: Any) -> tuple[str, dict[str, Any]]:
    """The subject and the body of an event of its own, in our restaurant; its state is changed."""
    body = json.loads(example(kind).model_dump_json())
    state = next(body[name] for name in ("order", "ticket", "item", "restaurant") if name in body)
    state["restaurant"] = RESTAURANT
    if "order_id" in state:
        state["order_id"] = str(uuid4())
    if "sku" in state:
        state["sku"] = f"sku-{uuid4().hex[:8]}"
    subject = kind.model_validate(body).subject
    state |= changes
    return subject, body


def event(
    name: str,
    kind: type[Event],
    ends: Ends = Ends.SET_ASIDE,
    body: bytes | None = None,
    *,
    subject: str | None = None,
    changes: Mapping[str, Any] | None = None,
    **headers: str | bytes,
) -> Poison:
    own_subject, altered_body = altered(kind, **(changes or {}))
    sealed = seal(example(kind), event_id=uuid4())
    own = {key.replace("_", "-"): text for key, text in headers.items()}
    content = json.dumps(altered_body).encode() if body is None else body
    title = f"{kind.__name__}: {name}"
    whole = block({**sealed.headers, **own})
    return Poison(title, (subject or own_subject).encode(), content, ends, whole)


def events() -> Iterator[Poison]:
    """What somebody with the rights of a service, or a service that is broken, may publish."""
    order_id, unknown = str(uuid4()), Ends.UNKNOWN
    for kind in (OrderPlaced, TicketServed, TicketQueued, MenuItemSet, RestaurantSet):
        yield event("a megabyte of junk", kind, body=JUNK)
        yield event("no body", kind, body=b"")
        yield event("deep JSON", kind, body=DEEP)
        yield event("no UTF-8", kind, body=b'{"at": "\xff"}')
        yield event("no such version", kind, changes={"version": 0})
        yield event("a version of 400 digits", kind, changes={"version": 10**400})
        yield event("an unknown type", kind, unknown, ce_type="comanda.some.thing.v9")
        yield event("a type of 9,000 characters", kind, unknown, ce_type="t" * 9_000)
        yield event("a type of escapes", kind, unknown, ce_type=ESCAPES)
        yield event("another restaurant's subject", kind, changes={"restaurant": "r-other"})
        yield event("no restaurant", kind, changes={"restaurant": "../../etc"})
        yield event("a restaurant of 9,000 characters", kind, changes={"restaurant": "r" * 9_000})
        yield event("the name of another event", kind, ce_type="comanda.order.closed.v1")
    new = f"orders.v1.{RESTAURANT}.{order_id}.moved"
    yield event("a new event", OrderPlaced, unknown, subject=new, ce_type="comanda.order.moved.v1")
    new = f"tickets.v1.{RESTAURANT}.{order_id}.1.moved"
    yield event(
        "a new event", TicketQueued, unknown, subject=new, ce_type="comanda.ticket.moved.v1"
    )
    no_id = f"tickets.v1.{RESTAURANT}.no-id.no-round.served"
    yield event("no ticket's subject", TicketServed, subject=no_id)
    faulty = {"rounds": [{"round": 1, "ordered_at": "2026-01-01T00:00:00Z", "lines": [{}] * 5_200}]}
    yield event("faults without end", OrderPlaced, changes=faulty)
    yield event("guests beyond 64 bits", OrderPlaced, Ends.ANYHOW, changes={"guests": 2**64})
    early = {"placed_at": "0001-01-01T00:00:00+14:00"}
    yield event("before all time", OrderPlaced, Ends.ANYHOW, changes=early)
    late = {"placed_at": "9999-12-31T23:59:59Z", "business_day": "9999-12-31"}
    yield event("at the end of time", OrderPlaced, Ends.ANYHOW, changes=late)
    yield event("a price beyond 64 bits", MenuItemSet, changes={"price": 2**64})
    yield event("a name of escapes", MenuItemSet, Ends.ANYHOW, changes={"name": ESCAPES})
    yield event("a name with a NUL", MenuItemSet, Ends.ANYHOW, changes={"name": "a\x00b"})
    yield event("a dollar and dots", MenuItemSet, Ends.ANYHOW, changes={"name": "$a.$b", "$x": 1})


MESSAGES = (*commands(), *events())
"""All of them. Each fits into its stream; what does not is refused by the server."""

assert all(len(each.headers) + len(each.body) < MESSAGE_BYTES_MAX for each in MESSAGES)
