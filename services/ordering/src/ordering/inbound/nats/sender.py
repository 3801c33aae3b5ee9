"""Who sends a command over NATS: as its token says, ahead of anything else about it.

Of one that was set aside the letter says it: the token is not kept.
"""

import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from service_kit.access.admission import Admission
from service_kit.access.keys import KeyBeingRead
from service_kit.access.principal import Principal, key_space_of
from service_kit.access.rates import TooManyRequests
from service_kit.nats.dead_letters import SENDER
from service_kit.nats.failures import Attempts, Fate
from service_kit.nats.letter_box import NotReplayable
from service_kit.nats.subscriber import Received

from ordering.domain.events import Sender
from ordering.inbound import needed
from ordering.inbound.nats.command_message import CommandMessage
from ordering.inbound.principals import sender_of

KEY_WAIT_S = 0.01
"""Seconds in which a set of keys is read that is a file."""
KEY_ATTEMPTS_MAX = 3
"""By then, after some seven seconds, the issuer has answered or will not."""
COUNTED_COMMANDS_MAX = 20_000
"""Commands that are known to have been counted; beyond that the oldest are forgotten."""

Identify = Callable[[Received[CommandMessage]], Awaitable[CommandMessage]]
"""Says who sends a command: as its actor, and its key among that subject's own.

Raises InvalidToken, Forbidden, TooManyRequests, KeyBeingRead and KeysUnavailable, or NotReplayable.
"""

IsWithdrawn = Callable[[str, str, float], Awaitable[bool]]
"""Whether a restaurant's tokens of this subject were withdrawn that were issued then.

In seconds since the epoch. Raises StoreUnavailable.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSender:
    """Who sent a command by a good token, as a dead letter keeps it: without the token."""

    subject: str
    role: str
    device: str | None
    actor: str
    issued_at: float
    """When the token was, in seconds since the epoch."""


_KNOWN = TypeAdapter(KnownSender)


class CountedCommands:
    """Which commands have been counted among their sender's, and which were too many."""

    def __init__(self) -> None:
        self._waits_s: OrderedDict[tuple[int, float], float | None] = OrderedDict()

    def count(self, command: tuple[int, float], count: Callable[[], None]) -> None:
        """Count the command of this sequence and time, once however often it comes.

        Raises TooManyRequests of one too many, each time: it was answered so, and was not settled.
        """
        if command not in self._waits_s:
            self._waits_s[command] = _wait_s(count)
            if len(self._waits_s) > COUNTED_COMMANDS_MAX:
                self._waits_s.popitem(last=False)
        if (wait_s := self._waits_s[command]) is not None:
            raise TooManyRequests(wait_s)


def _wait_s(count: Callable[[], None]) -> float | None:
    try:
        count()
    except TooManyRequests as refusal:
        return refusal.wait_s
    return None


def by_token(admission: Admission) -> Identify:
    """As the token says that comes with the command.

    One whose key is unknown keeps no other waiting while the issuer is asked for it: it is given
    back, `KEY_ATTEMPTS_MAX` times at most, and refused then. A command is counted among its
    sender's, by when it was stored, and once however often it comes to this process.
    """
    attempts, counted = Attempts(), CountedCommands()

    async def identify(received: Received[CommandMessage]) -> CommandMessage:
        command, sequence = received.event, received.message.metadata.sequence.stream

        def count(principal: Principal) -> None:
            counted.count(
                (sequence, command.stored_at_s),
                lambda: admission.count(
                    command.restaurant,
                    principal,
                    asked=command.name,
                    stored_at_s=command.stored_at_s,
                ),
            )

        try:
            known = await known_sender(command, admission, key_wait_s=KEY_WAIT_S, count=count)
        except KeyBeingRead:
            if attempts.add(sequence, Fate.BLOCKED) <= KEY_ATTEMPTS_MAX:
                raise
            known = await known_sender(command, admission, key_wait_s=None, count=count)
        attempts.forget([received.message])
        received.about[SENDER] = json.dumps(asdict(known))  # ASCII, as headers have to be
        return sent_by(known, command)

    return identify


# decision/0055: a replayed command is its sender's
def by_letter(
    actor: str | None,
    *,
    is_withdrawn: IsWithdrawn,
    clock: Callable[[], datetime],
    token_life_max_s: float,
) -> Identify:
    """As the dead letter says, unless that sender's tokens were withdrawn since.

    Where it says nothing, or withdrawals of so long ago are known no more, the command is the
    `actor`'s, whom an operator names, and nobody's without one.
    """

    async def identify(received: Received[CommandMessage]) -> CommandMessage:
        command, known = received.event, _kept_sender(received)
        oldest_s = clock().timestamp() - token_life_max_s
        if known is None or known.issued_at < oldest_s:
            if not actor:
                raise NotReplayable(
                    "no good token of its sender was seen in the time for which withdrawals are "
                    "known: name a subject whose command it is to be with --actor"
                )
            return _with_key_of(actor, replace(command, actor=actor, by=None))
        if await is_withdrawn(command.restaurant, known.subject, known.issued_at):
            raise NotReplayable("its sender's tokens were withdrawn since")
        return sent_by(known, command)

    return identify


async def nobody(_: Received[CommandMessage]) -> CommandMessage:
    """Of what consumes no commands."""
    raise NotReplayable("nobody is asked who sends commands")


async def known_sender(
    command: CommandMessage,
    admission: Admission,
    *,
    key_wait_s: float | None = None,
    count: Callable[[Principal], None] | None = None,
) -> KnownSender:
    """Who sends the command by its token, whose key is waited for as long as `key_wait_s`.

    `count` is called with whoever is let in. Raises what it raises, and InvalidToken, Forbidden,
    KeyBeingRead and KeysUnavailable.
    """
    roles = needed.COMMANDS[command.name]
    principal = await admission.admit(
        command.authorization,
        command.restaurant,
        roles,
        asked=command.name,
        at_s=command.stored_at_s,
        key_wait_s=key_wait_s,
    )
    if count is not None:
        count(principal)
    by = sender_of(principal, command.restaurant, roles)
    return KnownSender(
        subject=by.subject,
        role=by.role,
        device=by.device,
        actor=principal.actor(command.restaurant, command.actor),
        issued_at=principal.issued_at,
    )


def sent_by(known: KnownSender, command: CommandMessage) -> CommandMessage:
    """The command with its sender, and without the token."""
    by = Sender(subject=known.subject, role=known.role, device=known.device)
    return _with_key_of(known.subject, replace(command, actor=known.actor, by=by))


def _with_key_of(subject: str, command: CommandMessage) -> CommandMessage:
    request = command.request
    if request is not None:
        request = replace(request, key=f"{key_space_of(subject)} {request.key}")
    return replace(command, request=request, authorization=None)


def _kept_sender(received: Received[Any]) -> KnownSender | None:
    text = (received.message.headers or {}).get(SENDER)
    try:
        return _KNOWN.validate_json(text) if text else None
    except ValidationError:
        return None
