"""Messages that can't be read: set aside with their reason, never lost, never in the way."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from comanda_contracts import subjects
from comanda_contracts.envelope import Message
from nats.aio.client import Client
from nats.aio.msg import Msg

from service_kit.nats.jetstream import publish_all

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message as it came, and why it could not be read."""

    message: Msg
    reason: str


async def set_aside(client: Client, service: str, letters: list[DeadLetter]) -> None:
    """Store the messages on the dead-letter stream, then settle them on their own.

    What could not be stored is not settled, and so comes again.
    """
    copies = [_copy(service, letter) for letter in letters]
    outcomes = await publish_all(client, copies)
    for letter, outcome in zip(letters, outcomes, strict=True):
        if isinstance(outcome, Exception):
            log.error("dead letter not stored", subject=letter.message.subject, reason=str(outcome))
        else:
            log.warning("dead letter", subject=letter.message.subject, reason=letter.reason)
            await letter.message.term()


def _copy(service: str, letter: DeadLetter) -> Message:
    origin = letter.message.metadata
    headers = {
        **_own(letter.message.headers or {}),
        "Comanda-Reason": " ".join(letter.reason.split()),
        "Comanda-Subject": letter.message.subject,
        "Comanda-Stream": origin.stream,
        "Comanda-Sequence": str(origin.sequence.stream),
        "Nats-Msg-Id": f"{service}/{origin.stream}/{origin.sequence.stream}",
    }
    return Message(subjects.dead_letter(service, origin.stream), headers, letter.message.data)


def _own(headers: Mapping[str, str]) -> dict[str, str]:
    """What the publisher says of the message, without what it asked of the first stream.

    JetStream stores a condition such as an expected sequence with the message; it would have the
    copy refused.
    """
    return {name: text for name, text in headers.items() if not name.lower().startswith("nats-")}
