"""Every message of TICKETS from a place on, in the stream's order, and none missed."""

import asyncio
from collections.abc import AsyncGenerator

from comanda_contracts.streams import TICKETS
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import api
from service_kit.nats.jetstream import jetstream

HEARTBEAT = 0.5
"""Seconds after which the server says that there is nothing new."""
PATIENCE = 2.0
"""Seconds without a word after which the server counts as gone."""


class MessagesMissed(Exception):
    """Not every message arrived, as far as can be told: begin anew."""


async def every_message(client: Client, *, after: int = 0) -> AsyncGenerator[Msg | None]:
    """The messages that come after this sequence.

    None once all that were there have come, and whenever there is nothing more.

    Raises MessagesMissed if one is missing or the server falls silent. nats-py has an ordered
    consumer too. It starts itself anew without a word, so that nobody could tell meanwhile that
    the queue is not up to date.
    """
    arrived, backlog = await _subscribe(client, after)
    received = 0
    while True:
        if received == backlog:
            yield None
        message = await _next(arrived)
        headers = message.headers or {}
        if api.Header.STATUS not in headers:
            received += 1
            _expect(received, message.metadata.sequence.consumer)
            yield message
        elif go_on := message.reply or headers.get(api.Header.CONSUMER_STALLED):
            await client.publish(go_on)  # flow control
        else:
            _expect(received, int(headers[api.Header.LAST_CONSUMER]))
            yield None


async def _subscribe(client: Client, after: int) -> tuple[asyncio.Queue[Msg], int]:
    """Where what follows this sequence arrives, and how many messages that is now."""
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    inbox = client.new_inbox()
    await client.subscribe(inbox, cb=arrived.put)
    consumer = await jetstream(client).add_consumer(
        TICKETS.name,
        api.ConsumerConfig(
            deliver_subject=inbox,
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=api.AckPolicy.NONE,
            max_deliver=1,
            idle_heartbeat=HEARTBEAT,
            flow_control=True,
            mem_storage=True,
            num_replicas=1,
        ),
    )
    return arrived, consumer.num_pending or 0


async def _next(arrived: asyncio.Queue[Msg]) -> Msg:
    """The next message.

    Not by nats-py's `next_msg`: it waits by `asyncio.wait_for`, which before Python 3.12 forgets
    that it was cancelled if a message comes at that moment, and the service would never end.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            return await arrived.get()
    except TimeoutError as error:
        raise MessagesMissed(f"not a word from the server in {PATIENCE} s") from error


def _expect(received: int, sent: int) -> None:
    if sent != received:
        raise MessagesMissed(f"{received} messages came of {sent}")
