"""Messages that can't be read or carried out: set aside with their reason, never in the way."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import structlog
from comanda_contracts import UnknownType, Unreadable, subjects
from comanda_contracts.envelope import Message
from comanda_contracts.streams import COMMANDS
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import MaxPayloadError
from nats.js.errors import APIError
from prometheus_client import Counter

from service_kit.nats.failures import MESSAGE_TOO_LARGE, reason_of
from service_kit.nats.jetstream import Outcome, publish_all
from service_kit.runtime.terminal import printable

log = structlog.get_logger()

REASON_CHARACTERS_MAX = 500
"""A reason may list every fault of a message that has a million."""

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""Of RFC 9110; the client publishes no other."""
NOT_KEPT = frozenset({"status", "description", "authorization"})
"""The client's names for what stands on a header block's first line, which only servers fill; and
the token of whoever sent it, which is for nobody else to read.
"""

REASON, SUBJECT = "Comanda-Reason", "Comanda-Subject"
STREAM, SEQUENCE = "Comanda-Stream", "Comanda-Sequence"
DETAIL, OMITTED, MESSAGE_ID = "Comanda-Detail", "Comanda-Omitted", "Comanda-Message-Id"
SENDER = "Comanda-Sender"
"""Who sent a command, once a good token has said so: what a replay is to know, and no token."""
ABOUT = frozenset({REASON, SUBJECT, STREAM, SEQUENCE, DETAIL, OMITTED, MESSAGE_ID, SENDER})
"""The headers of a dead letter that are not the message's own."""
_ABOUT_NAMES = frozenset(name.lower() for name in ABOUT)

DEAD_LETTERS_STORED = Counter(
    "comanda_dead_letters_total", "Messages that were set aside", ["service", "stream", "kind"]
)


class Kind(StrEnum):
    """Why a message was set aside, in a word."""

    UNKNOWN_TYPE = "unknown-type"
    """An event that this release does not know; a newer one may."""
    UNREADABLE = "unreadable"
    REJECTED = "rejected"
    """It was read, and can never be carried out or stored."""
    GIVEN_UP = "given-up"
    """It failed too often."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message as it came, and why it was set aside."""

    message: Msg
    kind: Kind
    reason: str
    about: Mapping[str, str] = field(default_factory=dict)
    """What its handler found out about it."""

    @classmethod
    def of(
        cls, message: Msg, error: Exception, about: Mapping[str, str] | None = None
    ) -> "DeadLetter":
        """The letter of a message whose error is permanent."""
        match error:
            case UnknownType():
                return cls(message, Kind.UNKNOWN_TYPE, str(error), about or {})
            case Unreadable():
                return cls(message, Kind.UNREADABLE, str(error), about or {})
            case _:
                return cls(message, Kind.REJECTED, reason_of(error), about or {})

    @property
    def is_kept_elsewhere(self) -> bool:
        """Whether its stream keeps it: an event of an unknown type is well, and is not copied."""
        is_work = self.message.metadata.stream == COMMANDS.name
        return self.kind is Kind.UNKNOWN_TYPE and not is_work


async def set_aside(client: Client, service: str, letters: Sequence[DeadLetter]) -> None:
    """Store the messages on the dead-letter stream, then settle them on their own.

    What could not be stored is not settled, and so comes again. A copy that the server or the
    stream would refuse for its size is stored without its body and headers: it names the stream and
    sequence of the original, where both can be read for as long as that stream keeps them. So is
    that of an event of an unknown type, with the reason `unknown-type`.
    """
    outcomes = await publish_all(client, [_copy(service, each) for each in letters])
    too_large = [n for n, outcome in enumerate(outcomes) if _is_too_large(outcome)]
    smaller = [_without_content(_copy(service, letters[n])) for n in too_large]
    for n, outcome in zip(too_large, await publish_all(client, smaller), strict=True):
        outcomes[n] = outcome
    for letter, outcome in zip(letters, outcomes, strict=True):
        await _settle(service, letter, outcome)


async def _settle(service: str, letter: DeadLetter, outcome: Outcome) -> None:
    subject, stream = letter.message.subject, letter.message.metadata.stream
    if isinstance(outcome, Exception):
        log.error("dead letter not stored", subject=subject, reason=reason_of(outcome))
        return
    log.warning("dead letter", subject=subject, kind=letter.kind, reason=in_a_line(letter.reason))
    DEAD_LETTERS_STORED.labels(service, stream, letter.kind).inc()
    if letter.kind is Kind.UNKNOWN_TYPE:
        await letter.message.ack()  # nothing is wrong with it
    else:
        await letter.message.term()


def _copy(service: str, letter: DeadLetter) -> Message:
    origin, own = letter.message.metadata, letter.message.headers or {}
    about = {
        **letter.about,
        REASON: in_a_line(letter.reason),
        SUBJECT: in_a_line(letter.message.subject),
        STREAM: origin.stream,
        SEQUENCE: str(origin.sequence.stream),
        "Nats-Msg-Id": f"{service}/{origin.stream}/{origin.sequence.stream}",
    }
    if letter.kind is Kind.UNKNOWN_TYPE:
        about |= {REASON: Kind.UNKNOWN_TYPE.value, DETAIL: in_a_line(letter.reason)}
    if message_id := own.get("Nats-Msg-Id"):
        about[MESSAGE_ID] = in_a_line(message_id)
    subject = subjects.dead_letter(service, origin.stream)
    whole = Message(subject, _own(own) | about, letter.message.data)
    return _without_content(whole) if letter.is_kept_elsewhere else whole


def _without_content(copy: Message) -> Message:
    about = {name: text for name, text in copy.headers.items() if name in (*ABOUT, "Nats-Msg-Id")}
    return Message(copy.subject, about | {OMITTED: "headers, body"}, b"")


def _is_too_large(outcome: Outcome) -> bool:
    return isinstance(outcome, MaxPayloadError) or (
        isinstance(outcome, APIError) and outcome.err_code == MESSAGE_TOO_LARGE
    )


def in_a_line(reason: str) -> str:
    """The reason without anything that a terminal or a header would take for more than text."""
    beginning = reason[: 2 * REASON_CHARACTERS_MAX]
    line = printable(" ".join(beginning.split()))
    is_short = len(line) <= REASON_CHARACTERS_MAX and len(beginning) == len(reason)
    return line if is_short else line[: REASON_CHARACTERS_MAX - 1] + "…"


def _own(headers: Mapping[str, str]) -> dict[str, str]:
    """What the publisher says of the message, without what it asked of the first stream.

    Nor is anything his that a letter says of a message: he might name another as its sender.

    JetStream stores a condition such as an expected sequence with the message; it would have the
    copy refused.
    """
    return {
        name: text
        for name, text in headers.items()
        if HEADER_NAME.fullmatch(name)
        and not name.lower().startswith("nats-")
        and name.lower() not in NOT_KEPT
        and name.lower() not in _ABOUT_NAMES
    }
