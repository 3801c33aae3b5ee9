"""What passes on one of the streams, as it comes or from the beginning."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from nats.aio.msg import Msg
from nats.js import JetStreamContext, api

from comanda_local.team_consumers import UNSETTLED_MAX
from comanda_local.teams import Grant, covers

BATCH_MESSAGES = 500
WAIT_S = 2.0
"""Seconds for which one request waits for a message."""
FORGOTTEN_AFTER_S = 60.0
"""Seconds after which the server forgets a consumer that nobody asks."""


async def messages(
    js: JetStreamContext, grant: Grant, *, after: int | None, waits: bool
) -> AsyncGenerator[Msg, None]:
    """An operator's look at what fits the grant: by a consumer of its own, so nobody misses it.

    It begins after a sequence of the stream, 0 for all, or with what comes from now on. If it does
    not wait it ends where the stream ends.
    """
    policy = api.DeliverPolicy.NEW if after is None else api.DeliverPolicy.BY_START_SEQUENCE
    config = api.ConsumerConfig(
        deliver_policy=policy,
        opt_start_seq=None if after is None else after + 1,
        ack_policy=api.AckPolicy.NONE,
        inactive_threshold=FORGOTTEN_AFTER_S,
        mem_storage=True,
    )
    looking = await js.pull_subscribe(grant.subject, stream=grant.stream.name, config=config)
    info = await looking.consumer_info()
    try:
        left = info.num_pending or 0
        while waits or left:
            for message in await _fetched(looking, BATCH_MESSAGES):
                left = message.metadata.num_pending
                yield message
    finally:
        with contextlib.suppress(Exception):  # the server forgets it by itself
            await js.delete_consumer(grant.stream.name, info.name)


async def unsettled(
    js: JetStreamContext, grant: Grant, team: str, *, waits: bool
) -> AsyncGenerator[Msg, None]:
    """What fits the grant of what a team has not settled yet; all of it is given back in the end.

    It ends after as many as a team may have unsettled, or once nothing comes if it does not wait.
    """
    consumer = await js.pull_subscribe_bind(team, grant.stream.name)
    taken: dict[int, Msg] = {}
    try:
        while len(taken) < UNSETTLED_MAX:
            fetched = await _fetched(consumer, UNSETTLED_MAX - len(taken))
            if not (fetched or waits):
                return
            for message in fetched:
                sequence = message.metadata.sequence.stream
                is_new = sequence not in taken
                taken[sequence] = message
                if is_new and covers(grant.subject, message.subject):
                    yield message
    finally:
        await asyncio.gather(*(message.nak() for message in taken.values()))


async def _fetched(subscription: JetStreamContext.PullSubscription, at_most: int) -> list[Msg]:
    try:
        return await subscription.fetch(at_most, timeout=WAIT_S)
    except TimeoutError:
        return []
