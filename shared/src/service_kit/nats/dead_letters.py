"""Messages that can't be read: set aside with their reason, never lost, never in the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from comanda_contracts import subjects
from comanda_contracts.envelope import Message
from nats.aio.client import Client
from nats.aio.msg import Msg
from prometheus_client import Counter

from service_kit.nats.jetstream import publish_all

log = structlog.get_logger()

REASON_CHARACTERS_MAX = 500
"""A reason may list every fault of a message that has a million."""

DEAD_LETTERS_STORED = Counter(
    "comanda_dead_letters_total", "Messages that were set aside", ["service", "stream"]
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message as it came, and why it could not be read."""

    message: Msg
    reason: str


async def set_aside(client: Client, service: str, letters: Sequence[DeadLetter]) -> None:
    """Store the messages on the dead-letter stream, then settle them on their own.

    What could not be stored is not settled, and so comes again. A copy that the server would refuse
    for its size is stored without its body and headers: it names the stream and sequence of the
    original, where both can be read for as long as that stream keeps them.
    """
    copies = [_copy(service, letter, client.max_payload) for letter in letters]
    outcomes = await publish_all(client, copies)
    for letter, outcome in zip(letters, outcomes, strict=True):
        stream, reason = letter.message.metadata.stream, _in_a_line(letter.reason)
        if isinstance(outcome, Exception):
            log.error("dead letter not stored", subject=letter.message.subject, reason=str(outcome))
        else:
            log.warning("dead letter", subject=letter.message.subject, reason=reason)
            DEAD_LETTERS_STORED.labels(service, stream).inc()
            await letter.message.term()


def _copy(service: str, letter: DeadLetter, max_payload_bytes: int) -> Message:
    origin = letter.message.metadata
    subject = subjects.dead_letter(service, origin.stream)
    about = {
        "Comanda-Reason": _in_a_line(letter.reason),
        "Comanda-Subject": letter.message.subject,
        "Comanda-Stream": origin.stream,
        "Comanda-Sequence": str(origin.sequence.stream),
        "Nats-Msg-Id": f"{service}/{origin.stream}/{origin.sequence.stream}",
    }
    whole = Message(subject, _own(letter.message.headers or {}) | about, letter.message.data)
    if _size_bytes(whole) <= max_payload_bytes:
        return whole
    return Message(subject, about | {"Comanda-Omitted": "headers, body"}, b"")


def _in_a_line(reason: str) -> str:
    """The reason without anything that a terminal or a header would take for more than text."""
    line = " ".join(reason.split())
    line = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line)
    return line if len(line) <= REASON_CHARACTERS_MAX else line[: REASON_CHARACTERS_MAX - 1] + "…"


def _size_bytes(message: Message) -> int:
    """What NATS counts: the body, and each header with what stands around it."""
    headers = sum(len(f"{name}: {text}\r\n".encode()) for name, text in message.headers.items())
    return len(b"NATS/1.0\r\n\r\n") + headers + len(message.body)


def _own(headers: Mapping[str, str]) -> dict[str, str]:
    """What the publisher says of the message, without what it asked of the first stream.

    JetStream stores a condition such as an expected sequence with the message; it would have the
    copy refused.
    """
    return {name: text for name, text in headers.items() if not name.lower().startswith("nats-")}
