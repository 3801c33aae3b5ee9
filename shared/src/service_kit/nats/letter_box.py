"""The dead letters of a service as an operator finds them: read, replayed, discarded."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from comanda_contracts import subjects
from comanda_contracts.streams import DEAD_LETTERS
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NoStreamResponseError, NotFoundError
from typing_extensions import override

from service_kit.nats.broker import Broker
from service_kit.nats.dead_letters import (
    ABOUT,
    MESSAGE_ID,
    OMITTED,
    REASON,
    SENDER,
    SEQUENCE,
    STREAM,
    SUBJECT,
    in_a_line,
)
from service_kit.nats.failures import BatchFailed, Fate, end_of, reason_of
from service_kit.nats.subscriber import BatchSubscriber, Received

EVERY_SERVICE = "*"


class NoSuchLetter(Exception):
    """There is no letter of this number, or it is not the service's."""


class NotReplayable(Exception):
    """A letter can't be replayed as it is; its text says why. It stays."""


class NotNow(Exception):
    """A letter can't be replayed now, because a server is away: no fault of the letter."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it came, and why it was set aside. Whatever it says was said by a stranger."""

    number: int
    """Its sequence on the stream of dead letters."""
    service: str
    """The service that set it aside."""
    since: datetime | None
    headers: dict[str, str]
    body: bytes

    @property
    def stream(self) -> str:
        """The stream that it came from."""
        return self.headers.get(STREAM, "")

    @property
    def sequence(self) -> int:
        """Its sequence there; 0 if that is not known."""
        text = self.headers.get(SEQUENCE, "")
        return int(text) if text.isascii() and text.isdigit() else 0

    @property
    def subject(self) -> str:
        """The subject that it was published to."""
        return self.headers.get(SUBJECT, "")

    @property
    def reason(self) -> str:
        """Why it could not be read or carried out then."""
        return self.headers.get(REASON, "")

    @property
    def is_kept_elsewhere(self) -> bool:
        """Whether its headers and body are only where it came from."""
        return OMITTED in self.headers


async def letters(
    js: JetStreamContext, service: str, *, reason: str = "", after: int = 0
) -> AsyncIterator[Letter]:
    """The letters of a service (of each with `*`) whose reason begins so, oldest first, from the
    one after this number on.

    Those that are there by now: a replay that fails adds none that would be met again.
    """
    end, number = await _last_number(js, service), after
    of_service = subjects.dead_letter(service, "*")
    while number < end:
        try:
            found = await js.get_msg(
                DEAD_LETTERS.name, number + 1, subject=of_service, direct=True, next=True
            )
        except NotFoundError:
            return
        number = found.seq or number + 1
        letter = _letter(found, number)
        if number <= end and letter.reason.startswith(reason):
            yield letter


async def letter(js: JetStreamContext, number: int, service: str) -> Letter:
    """One of the service's letters. Raises NoSuchLetter."""
    try:
        found = _letter(await js.get_msg(DEAD_LETTERS.name, number, direct=True), number)
    except NotFoundError:
        raise NoSuchLetter(f"There is no dead letter {number}.") from None
    if service not in (found.service, EVERY_SERVICE):
        raise NoSuchLetter(f"Dead letter {number} is one of {found.service}.")
    return found


async def discard(js: JetStreamContext, letter: Letter) -> None:
    """Throw a letter away; it may be gone already."""
    with contextlib.suppress(NotFoundError):
        await js.delete_msg(DEAD_LETTERS.name, letter.number)


async def replay(broker: Broker, letter: Letter) -> str | None:
    """Have the service handle the message as if it came now, then throw the letter away.

    It is given to the same functions as when it came, so it is as safe to repeat. Returns why it
    can't be done, if so: the letter stays then. Raises NotNow.
    """
    js = await broker.jetstream_context()
    consumers = _consumers_of(broker, letter)
    if not consumers:
        return f"{broker.service} reads no stream {letter.stream}"
    for subscriber in consumers:
        try:
            message = await _message(js, letter, await broker.client())
            await _handle(subscriber, message)
        except NotReplayable as error:
            return str(error)
        except Exception as error:  # whatever it is, it is told with the letter
            if subscriber.failures.fate_of(error) is Fate.OUTAGE:
                raise NotNow(reason_of(error)) from error
            return reason_of(error)
        if not message.is_acked:
            return "it was left unsettled"
    await discard(js, letter)
    return None


def _consumers_of(broker: Broker, letter: Letter) -> list[BatchSubscriber]:
    """Those that are given a message like the letter's; the stream's first, if none is."""
    of_stream = [each for each in broker.batch_subscribers if each.stream.name == letter.stream]
    wanted = [
        each
        for each in of_stream
        if any(subjects.covers(of, letter.subject) for of in each.config.filter_subjects or ())
    ]
    return wanted or of_stream[:1]


async def _handle(subscriber: BatchSubscriber, message: Msg) -> None:
    received: Received[Any] = Received(subscriber.reader(message), message)
    try:
        await subscriber.handler([received])
    except BatchFailed as failed:
        if error := await end_of(failed.failures[0].error):
            raise error from failed


class _Gone(NotReplayable):
    """The original of a letter that has no copy is not on its stream any more."""


class _Replayed(Msg):
    """A message that is not delivered now: settling it is noted, and told to no server."""

    @override
    async def ack(self) -> None:
        self._ackd = True


async def _message(js: JetStreamContext, letter: Letter, client: Client) -> Msg:
    """The letter's message as it came. Raises _Gone."""
    headers, body, subject = letter.headers, letter.body, letter.subject
    message_id = headers.get(MESSAGE_ID)
    if letter.is_kept_elsewhere:
        try:
            original = await js.get_msg(letter.stream, letter.sequence or 1)
        except NotFoundError:
            raise _Gone(f"its original is no longer on {letter.stream}") from None
        if message_id and in_a_line(_as_text(original).get("Nats-Msg-Id", "")) != message_id:
            raise _Gone(f"another message is in its original's place on {letter.stream}")
        headers, body = _as_text(original), original.data or b""
        subject = original.subject or subject
    own = {
        name: text
        for name, text in headers.items()
        if name not in ABOUT and not name.startswith("Nats-")
    }
    if sender := letter.headers.get(SENDER):
        own[SENDER] = sender
    if message_id:
        own["Nats-Msg-Id"] = message_id
    # its place on its stream, which a reader may ask for, as a delivery says it
    reply = f"$JS.ACK.{letter.stream}.replay.1.{letter.sequence}.{letter.sequence}.0.0"
    return _Replayed(client, subject=subject, reply=reply, data=body, headers=own)


async def _last_number(js: JetStreamContext, service: str) -> int:
    """The number of the service's newest letter; 0 if there is none, or no stream of them."""
    try:
        of_service = subjects.dead_letter(service, "*")
        newest = await js.get_last_msg(DEAD_LETTERS.name, of_service, direct=True)
    except (NotFoundError, NoRespondersError, NoStreamResponseError):
        return 0
    return newest.seq or 0


def _letter(found: RawStreamMsg, number: int) -> Letter:
    return Letter(
        number,
        subjects.parse_dead_letter(found.subject or "").service,
        found.time,
        _as_text(found),
        found.data or b"",
    )


def _as_text(message: RawStreamMsg) -> dict[str, str]:
    """The headers; of one that is not ASCII the client may make an object."""
    return {name: str(text) for name, text in (message.headers or {}).items()}
