"""How an event travels: CloudEvents 1.0 in NATS binary mode, the body plain JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest whole number that every reader of JSON takes for what it is."""

Count = Annotated[int, Field(ge=1, le=MAX_SAFE_INTEGER)]
"""One or more: how many of something, or its place among its like."""

Version = Annotated[int, Field(ge=1, le=MAX_SAFE_INTEGER)]
"""1, 2, 3, … per aggregate, without a gap but before a `restated`."""

Money = Annotated[int, Field(ge=0, le=MAX_SAFE_INTEGER)]
"""An amount in minor units (cents, pence) of the restaurant's currency."""


def rfc3339(at: datetime) -> str:
    """The time as it is written everywhere: UTC, `Z`, six digits of a second.

    So texts sort as their times do. A time that UTC can't express keeps its own offset.
    """
    try:
        return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    except OverflowError:
        return at.isoformat(timespec="microseconds")


Instant = Annotated[
    AwareDatetime,
    PlainSerializer(rfc3339, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A point in time; any RFC 3339 is read."""


class Unreadable(ValueError):
    """A message that is not one of the published events; its text says why."""


class UnknownType(Unreadable):
    """A message whose `ce-type` this version of the contract does not know: a later one may."""


class Published(BaseModel):
    """Ground of every published model: immutable, tolerant of fields that later versions add."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class State(Published):
    """The whole state of one aggregate after an event."""

    restaurant: str
    """Slug of the venue, such as `la-piazza`."""
    version: Version
    """1, 2, 3, …; of two states of one aggregate the higher version is the newer. There is no gap,
    but before a `restated`."""


# decision/0052: an event says whose token led to it
class Sender(Published):
    """Who sent the request or command that led to an event, as the access token said."""

    subject: str
    """The token's `sub`."""
    device: str | None = None
    """The device's name, if the token has one."""
    role: str
    """The role by which it was let in, such as `till`; a later version may know others."""


# decision/0001: every event carries the whole state after it
class Event(Published):
    """Something that happened, together with the whole state after it."""

    TYPE: ClassVar[str]
    """CloudEvents type, such as `comanda.order.placed.v1`."""
    SOURCE: ClassVar[str]
    """CloudEvents source: the service that owns the aggregate."""

    at: Instant
    """When it happened: UTC, to the millisecond."""
    actor: str | None = None
    """Who did it, such as a waiter's name, where known."""
    by: Sender | None = None
    """Who sent what led to it, where a token said so. Its subject is the `actor`, unless it may act
    for others and named one."""

    @property
    def state(self) -> State:
        """The whole state of the aggregate after this event."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        """What the event is about, unique in its restaurant; the CloudEvents subject."""
        raise NotImplementedError

    @property
    def subject(self) -> str:
        """The NATS subject it is published to."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """What happened, such as `items-added`, in whichever version it is told."""
        return self.TYPE.split(".")[-2]

    @property
    def leaf(self) -> str:
        """The last part of its subject: the name, and from its second version on that version.

        So who has a consumer for the older version alone does not get the newer one.
        """
        name, version = self.TYPE.split(".")[-2:]
        return name if version == "v1" else f"{name}-{version}"


@dataclass(frozen=True, slots=True)
class Message:
    """An event ready to be published: the subject, headers and body that NATS carries."""

    subject: str
    headers: Mapping[str, str]
    body: bytes


def seal(event: Event, *, event_id: UUID, trace: Mapping[str, str] | None = None) -> Message:
    """Wrap an event for the wire.

    `event_id` (a UUIDv7) identifies this event for ever: JetStream drops a second copy within the
    stream's duplicate window, and a subscriber may do so for longer. `trace` holds the W3C trace
    context headers, if there are any.
    """
    headers = {
        "ce-specversion": "1.0",
        "ce-id": str(event_id),
        "ce-type": event.TYPE,
        "ce-source": event.SOURCE,
        "ce-subject": event.key,
        "ce-time": rfc3339(event.at),
        "content-type": "application/json",
        "Nats-Msg-Id": str(event_id),
        **(trace or {}),
    }
    return Message(event.subject, headers, event.model_dump_json().encode())
