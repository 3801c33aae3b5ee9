"""What the services' consumers have not settled yet."""

import asyncio

from comanda_contracts.streams import ORDERS, TICKETS, Stream
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

DONE_WITHIN = 7200.0
LOOK_EVERY = 0.05
"""Seconds between two looks at a consumer."""
VERY_MANY = 2**63

HEARD = {"ordering": (TICKETS,), "serving": (ORDERS,), "query": (ORDERS, TICKETS)}
"""The streams on which each service hears what becomes of orders."""


async def projected(js: JetStreamContext, count: int) -> float:
    """Events a second that query projects of a backlog, between a tenth of it done and all."""
    clock = asyncio.get_running_loop().time
    await settled(js, "query", but_for=int(0.9 * count))
    begin, left = clock(), await _left(js, "query")
    await settled(js, "query")
    return left / (clock() - begin)


async def settled(js: JetStreamContext, service: str, *, but_for: int = 0) -> None:
    """Wait until a service has settled all that it hears of, but for so many messages."""
    async with asyncio.timeout(DONE_WITHIN):
        while await _left(js, service) > but_for:
            await asyncio.sleep(LOOK_EVERY)


async def _left(js: JetStreamContext, service: str) -> int:
    """Messages that its consumers have not settled; as if they were very many before they exist."""
    return sum([await _left_of(js, service, stream) for stream in HEARD[service]])


async def _left_of(js: JetStreamContext, service: str, stream: Stream) -> int:
    try:
        info = await js.consumer_info(stream.name, service)
    except NotFoundError:
        return VERY_MANY
    return (info.num_pending or 0) + (info.num_ack_pending or 0)
