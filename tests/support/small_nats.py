"""A NATS server that runs out of room: JetStream may keep a few megabytes."""

import asyncio
import contextlib

from comanda_local.servers import Nats
from nats.js import JetStreamContext, api
from nats.js.errors import APIError

ROOM_BYTES = 2_000_000
FILLING = "FILLING"


class SmallNats(Nats):
    """One server whose streams may have `ROOM_BYTES` together."""

    def _configuration(self) -> str:
        return (
            super()
            ._configuration()
            .replace("jetstream {\n", f"jetstream {{\n  max_file_store: {ROOM_BYTES}\n")
        )


async def fill(js: JetStreamContext) -> None:
    """Have another stream take all the room there is."""
    await js.add_stream(api.StreamConfig(name=FILLING, subjects=["filling"]))
    with contextlib.suppress(APIError):
        while True:
            await asyncio.gather(*(js.publish("filling", b" " * 100_000) for _ in range(4)))


async def make_room(js: JetStreamContext) -> None:
    """Take it away again."""
    await js.delete_stream(FILLING)
