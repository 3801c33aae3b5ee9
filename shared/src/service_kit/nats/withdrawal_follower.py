"""Hears of withdrawals by following the stream ACCESS, from its beginning on."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import structlog
from comanda_contracts import AccessEvent, UnknownType, Unreadable, read
from comanda_contracts.streams import ACCESS
from nats.aio.client import Client

from service_kit.access.withdrawals import Withdrawals
from service_kit.nats.leader import NotThere
from service_kit.nats.stream_follower import follow_stream
from service_kit.runtime.components import Component, Ready

log = structlog.get_logger()


class AccessMessage(NamedTuple):
    """A message of the stream as it came."""

    sequence: int
    subject: str
    headers: Mapping[str, str] | None
    body: bytes


def access_components(
    withdrawals: Withdrawals, client: Callable[[], Awaitable[Client]]
) -> list[Component]:
    """What a service runs that judges tokens by the withdrawals that it hears of over NATS.

    It is not ready until it has read them once. Then it goes on with what it knows, and is degraded
    while it hears nothing.
    """

    async def follow(ready: Ready) -> None:
        await follow_withdrawals(await client(), withdrawals, ready)

    return [
        Component("access", withdrawals.watch_read),
        Component("withdrawals", follow, required=False),
    ]


async def follow_withdrawals(client: Client, withdrawals: Withdrawals, ready: Ready) -> None:
    """Note each withdrawal there is, and each as it is stored, within a second, without end.

    Where there is no stream nothing was withdrawn yet, and nobody waits for its owner. Raises
    NotThere then, MessagesMissed and LeaderSilent: call it again. What is known stays known
    meanwhile.
    """
    try:
        async with contextlib.aclosing(follow_stream(client, ACCESS, AccessMessage)) as messages:
            async for message in messages:
                if message is None:
                    withdrawals.note_read()
                    ready()
                else:
                    _note(withdrawals, message)
    except NotThere:
        withdrawals.note_read()
        raise


def _note(withdrawals: Withdrawals, message: AccessMessage) -> None:
    """One that can't be read is passed over, and logged; one of a later release without a word."""
    try:
        event = read(message.headers, message.body)
        if not isinstance(event, AccessEvent):
            raise Unreadable(f"{event.TYPE} is nothing of this stream")
    except UnknownType:
        return
    except Unreadable as error:
        log.error(
            "withdrawal can't be read",
            subject=message.subject,
            sequence=message.sequence,
            reason=str(error),
        )
        return
    known = event.withdrawal
    withdrawals.note(known.restaurant, known.subject_hash, known.withdrawn_at.timestamp())
