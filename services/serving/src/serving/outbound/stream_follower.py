"""Follows the stream TICKETS: every message from a sequence on, in order, and none missed."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from comanda_contracts.streams import TICKETS
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import api
from service_kit.nats.jetstream import jetstream

HEARTBEAT_INTERVAL_S = 0.5
"""Seconds without a message after which the server sends a heartbeat."""
SILENCE_TIMEOUT_S = 2.0
"""Seconds without a message or a heartbeat after which the server counts as gone."""


class MessagesMissed(Exception):
    """A message was lost on the way, or the server fell silent: follow the stream anew."""


async def follow_stream(client: Client, *, after: int = 0) -> AsyncGenerator[Msg | None]:
    """The messages that come after the sequence `after`, without end.

    Yields None once every message that was there at the start has been yielded, and whenever the
    server says that there is nothing new. Raises MessagesMissed.

    nats-py has an ordered consumer too. It starts itself anew without saying so, and nobody could
    tell meanwhile that the queues are not up to date.
    """
    messages: asyncio.Queue[Msg] = asyncio.Queue()
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=messages.put)
    try:
        backlog = await _create_consumer(client, inbox, after)
        received = 0
        while True:
            if received == backlog:
                yield None
            message = await _next(messages)
            headers = message.headers or {}
            if api.Header.STATUS not in headers:
                received += 1
                _require_all(received, message.metadata.sequence.consumer)
                yield message
            elif go_on := message.reply or headers.get(api.Header.CONSUMER_STALLED):
                await client.publish(go_on)  # flow control
            else:
                _require_all(received, int(headers[api.Header.LAST_CONSUMER]))
                yield None
    finally:  # without a subscriber the server removes the consumer
        with contextlib.suppress(NatsError):
            await subscription.unsubscribe()


async def _create_consumer(client: Client, inbox: str, after: int) -> int:
    """Have what comes after the sequence sent to the inbox. Returns how many messages are there."""
    consumer = await jetstream(client).add_consumer(
        TICKETS.name,
        api.ConsumerConfig(
            deliver_subject=inbox,
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=api.AckPolicy.NONE,
            max_deliver=1,
            idle_heartbeat=HEARTBEAT_INTERVAL_S,
            flow_control=True,
            mem_storage=True,
            num_replicas=1,
        ),
    )
    return consumer.num_pending or 0


async def _next(messages: asyncio.Queue[Msg]) -> Msg:
    """The next message. Raises MessagesMissed after `SILENCE_TIMEOUT_S`.

    Not by nats-py's `next_msg`: it waits by `asyncio.wait_for`, which before Python 3.12 forgets
    that it was cancelled if a message comes at that moment, and the service would never end.
    """
    try:
        async with asyncio.timeout(SILENCE_TIMEOUT_S):
            return await messages.get()
    except TimeoutError as error:
        raise MessagesMissed(f"not a word from the server in {SILENCE_TIMEOUT_S} s") from error


def _require_all(received: int, sent: int) -> None:
    if sent != received:
        raise MessagesMissed(f"{received} messages came of {sent}")
