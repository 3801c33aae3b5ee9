"""The floor of the projectors' acknowledgements: all at and below it is stored."""

import asyncio
import time
from dataclasses import dataclass, field

from comanda_contracts.streams import Stream
from nats.js.errors import NotFoundError

from query.maintenance.retry import retry_while_away
from query.maintenance.session import OperatorSession
from query.projection.projector import SERVICE

POLL_INTERVAL_S = 0.2
"""Between two looks at a floor that is too low."""


async def ack_floor(session: OperatorSession, stream: Stream) -> int | None:
    """A message such that it and all before it are stored; None if there is no projector."""
    try:
        consumer = await retry_while_away(lambda: session.js.consumer_info(stream.name, SERVICE))
    except NotFoundError:
        return None
    return consumer.ack_floor.stream_seq if consumer.ack_floor else 0


@dataclass(slots=True)
class AckFloorWaiter:
    """Waits until the projectors have stored what was on a stream.

    It gives up when the floor has not risen for so many seconds, and does not wait again before it
    rises. If there never was a projector it does not wait at all.
    """

    session: OperatorSession
    stall_timeout_s: float
    _floors: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Of each stream its floor, and since when it has been there."""

    async def wait_for(self, stream: Stream, sequence: int) -> None:
        """Wait for the message and all before it, or give up."""
        while (floor := await ack_floor(self.session, stream)) is not None and floor < sequence:
            known, since = self._floors.get(stream.name, (-1, 0.0))
            if floor != known:
                self._floors[stream.name] = floor, time.monotonic()
            elif time.monotonic() - since > self.stall_timeout_s:
                return
            await asyncio.sleep(POLL_INTERVAL_S)
