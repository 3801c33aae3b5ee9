"""What the stream TICKETS still holds, and how a ticket that stays open stays in it."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import structlog
from comanda_contracts.streams import TICKETS
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError
from prometheus_client import Counter
from service_kit.nats.leader import asking_leader_of
from service_kit.nats.stream_follower import leader_says
from service_kit.runtime.components import Ready

from serving.outbound.ticket_conditions import WRONG_LAST_SEQUENCE, only_after

log = structlog.get_logger()

CLOCKS_DIFFER_BY_MAX = timedelta(hours=1)
CLOCKS_DIFFER_BY_SHARE = 0.01
"""Of a window that is short, as in a test."""
PUBLISHED_AGAIN_AT_SHARE = 0.5
"""Of the window after which an open ticket is published again: serving may be down for the rest."""
CHECK_INTERVAL_SHARE = 0.02
CHECK_INTERVAL_MAX_S = 60.0

AGAIN = Counter(
    "comanda_serving_tickets_published_again",
    "Open tickets published again before they would have left the stream",
)


def hot_window(info: api.StreamInfo) -> timedelta | None:
    """How long the stream keeps a message; None if it keeps all."""
    return timedelta(seconds=info.config.max_age) if info.config.max_age else None


def clocks_differ_by_max(window: timedelta) -> timedelta:
    """By how much the clocks of those who order, store and serve may differ."""
    return min(CLOCKS_DIFFER_BY_MAX, window * CLOCKS_DIFFER_BY_SHARE)


async def keep_in_window(
    js: JetStreamContext, open_sequences: Callable[[], Iterable[int]], ready: Ready
) -> None:
    """Publish open tickets again before they would leave the stream, until cancelled.

    `open_sequences` returns the sequences of their last messages. Any number of replicas may run
    this at the same time. Raises LeaderSilent, nats.errors.Error: call it again.
    """
    while True:
        window = hot_window(await leader_says(js, TICKETS))
        if window:
            oldest_at = datetime.now(UTC) - window * PUBLISHED_AGAIN_AT_SHARE
            await publish_again(js, open_sequences(), stored_before=oldest_at)
        ready()
        interval_s = window.total_seconds() * CHECK_INTERVAL_SHARE if window else float("inf")
        await asyncio.sleep(min(interval_s, CHECK_INTERVAL_MAX_S))


async def publish_again(
    js: JetStreamContext, sequences: Iterable[int], *, stored_before: datetime
) -> int:
    """Publish those of the messages again that were stored before, the oldest first.

    It is the same event, with its id and version, so that nobody takes it for another; and it is
    stored only if nothing has happened to its ticket since. Returns how many were.
    """
    count = 0
    for sequence in sorted(sequences):
        try:
            with asking_leader_of(TICKETS.name):
                message = await js.get_msg(TICKETS.name, sequence)
        except NotFoundError:  # it has just left, after another message of its ticket
            continue
        if message.time is None or message.time >= stored_before:
            return count  # and so is each after it
        count += await _publish_again(js, message)
    return count


async def _publish_again(js: JetStreamContext, message: api.RawStreamMsg) -> bool:
    subject = message.subject or ""
    headers = {**(message.headers or {}), **only_after(message.seq or 0, subject)}
    try:
        with asking_leader_of(TICKETS.name):
            ack = await js.publish(subject, message.data or b"", headers=headers)
    except APIError as error:
        if error.err_code == WRONG_LAST_SEQUENCE:  # something has happened to it, or a replica has
            return False
        raise
    if not ack.duplicate:
        AGAIN.inc()
    return not ack.duplicate
