"""Dead letters: messages that a service set aside, to be shown, replayed or discarded."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime

from comanda_contracts import Unreadable, subjects
from comanda_contracts.streams import DEAD_LETTERS
from nats.aio.msg import Msg
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError
from service_kit.nats.subscriber import Received, read_event

from query.maintenance.session import AUDITOR, OperatorSession
from query.maintenance.stream_reader import batches, last_sequence
from query.projection.apply import apply_batch
from query.projection.projector import SERVICE
from query.storage.stores import stores_over


class NoSuchDeadLetter(Exception):
    """There is no letter of this number, or it is not ours."""


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A message as it came, and why it was set aside."""

    number: int
    """Its sequence on the stream of dead letters."""
    service: str
    """The service that set it aside."""
    since: datetime | None
    headers: dict[str, str]
    body: bytes

    @property
    def origin(self) -> str:
        """The stream and sequence that it came from."""
        return f"{self.headers.get('Comanda-Stream')} {self.headers.get('Comanda-Sequence')}"

    @property
    def subject(self) -> str:
        """The subject that it was published to."""
        return self.headers.get("Comanda-Subject", "")

    @property
    def reason(self) -> str:
        """Why it could not be read or stored then."""
        return self.headers.get("Comanda-Reason", "")


async def dead_letters(
    session: OperatorSession, service: str = SERVICE
) -> AsyncGenerator[StoredDeadLetter, None]:
    """All dead letters of a service, oldest first; of every service with `*`."""
    end = await last_sequence(session.js, DEAD_LETTERS)
    of_service = [subjects.dead_letter(service, "*")]
    found = batches(session.js, DEAD_LETTERS, AUDITOR, until=end, subjects=of_service)
    async with contextlib.aclosing(found) as messages:
        async for batch in messages:
            for message in batch:
                origin = message.metadata
                yield StoredDeadLetter(
                    origin.sequence.stream,
                    subjects.parse_dead_letter(message.subject).service,
                    origin.timestamp,
                    dict(message.headers or {}),
                    message.data,
                )


async def dead_letter(
    session: OperatorSession, number: int, service: str = SERVICE
) -> StoredDeadLetter:
    """One dead letter. Raises NoSuchDeadLetter."""
    try:
        found: RawStreamMsg = await session.js.get_msg(DEAD_LETTERS.name, number, direct=True)
    except NotFoundError:
        raise NoSuchDeadLetter(f"There is no dead letter {number}.") from None
    of = subjects.parse_dead_letter(found.subject or "").service
    if service not in (of, "*"):
        raise NoSuchDeadLetter(f"Dead letter {number} is one of {of}.")
    return StoredDeadLetter(number, of, found.time, dict(found.headers or {}), found.data or b"")


async def replay(session: OperatorSession, letter: StoredDeadLetter) -> str | None:
    """Read and project the message as the projector does, then throw the letter away.

    It may come at any time and again: order does not matter. Returns why it can't be done, if so;
    the letter stays then. Raises StoreUnavailable.
    """
    message = Msg(session.nats, subject=letter.subject, data=letter.body, headers=letter.headers)
    try:
        event = read_event(message)
    except Unreadable as error:
        return str(error)
    refused = await apply_batch([Received(event, message)], stores_over(session.generations))
    if refused:
        return refused[0].reason
    await discard(session, letter)
    return None


async def discard(session: OperatorSession, letter: StoredDeadLetter) -> None:
    """Throw a letter away; it may be gone already."""
    with contextlib.suppress(NotFoundError):
        await session.js.delete_msg(DEAD_LETTERS.name, letter.number)
