"""Dead letters: what a service set aside, to be looked at, projected again or thrown away."""

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

from query.maintenance.session import AUDITOR, Site
from query.projection.apply import store
from query.projection.projector import SERVICE
from query.projection.stream_reader import batches, last_sequence
from query.storage.stores import stores_over


class NoSuchLetter(Exception):
    """There is no letter of this number, or it is not ours."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it came, and why it was set aside."""

    number: int
    """Its sequence on the stream of dead letters."""
    service: str
    """Who set it aside."""
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


async def letters(site: Site, service: str = SERVICE) -> AsyncGenerator[Letter, None]:
    """All letters of a service, oldest first; of every service with `*`."""
    end = await last_sequence(site.js, DEAD_LETTERS)
    of_service = [subjects.dead_letter(service, "*")]
    found = batches(site.js, DEAD_LETTERS, AUDITOR, until=end, subjects=of_service)
    async with contextlib.aclosing(found) as messages:
        async for batch in messages:
            for message in batch:
                origin = message.metadata
                yield Letter(
                    origin.sequence.stream,
                    subjects.parse_dead_letter(message.subject).service,
                    origin.timestamp,
                    dict(message.headers or {}),
                    message.data,
                )


async def letter(site: Site, number: int, service: str = SERVICE) -> Letter:
    """One letter. Raises NoSuchLetter."""
    try:
        found: RawStreamMsg = await site.js.get_msg(DEAD_LETTERS.name, number, direct=True)
    except NotFoundError:
        raise NoSuchLetter(f"There is no dead letter {number}.") from None
    of = subjects.parse_dead_letter(found.subject or "").service
    if service not in (of, "*"):
        raise NoSuchLetter(f"Dead letter {number} is one of {of}.")
    return Letter(number, of, found.time, dict(found.headers or {}), found.data or b"")


async def replay(site: Site, one: Letter) -> str | None:
    """Read and project the message as the projector does, then throw the letter away.

    It may come at any time and again: order does not matter. Returns why it can't be done, if so;
    the letter stays then. Raises StoreUnavailable.
    """
    message = Msg(site.nats, subject=one.subject, data=one.body, headers=one.headers)
    try:
        event = read_event(message)
    except Unreadable as error:
        return str(error)
    refused = await store([Received(event, message)], stores_over(site.generations))
    if refused:
        return refused[0].reason
    await discard(site, one)
    return None


async def discard(site: Site, one: Letter) -> None:
    """Throw a letter away; it may be gone already."""
    with contextlib.suppress(NotFoundError):
        await site.js.delete_msg(DEAD_LETTERS.name, one.number)
