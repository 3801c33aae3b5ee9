"""How far a durable consumer is behind its stream: in messages, and in seconds."""

import time
from collections import deque
from collections.abc import Callable

from comanda_contracts.streams import Stream
from nats.js import JetStreamContext
from prometheus_client import Gauge

from service_kit.nats.leader import asking_leader_of

LOOKS_MAX = 1000
"""Looks that are remembered while a consumer is behind; of more every second is forgotten."""

PENDING = Gauge(
    "comanda_consumer_pending_messages",
    "Messages that a consumer has not settled; absent while NATS is away",
    ["stream", "consumer"],
)
OLDEST = Gauge(
    "comanda_consumer_oldest_seconds",
    "For which the oldest message has waited that a consumer has not settled, as far as this "
    "process has looked on: to two seconds, and from its start; absent while NATS is away",
    ["stream", "consumer"],
)


class BacklogAge:
    """For how long something has waited, by what was seen of a stream and its consumer.

    The oldest message itself is not read: not every service may. It was there at the first look at
    which the stream went beyond what is settled now.
    """

    def __init__(self) -> None:
        self._ends: deque[tuple[float, int]] = deque()
        """When the stream was looked at, and its last sequence then."""

    def note(self, now_s: float, *, waiting: int, floor: int, end: int) -> float:
        """Take a look: `waiting` messages behind `floor`, the stream's last one is `end`.

        Returns the seconds for which the oldest has waited at least.
        """
        if not waiting:
            self._ends.clear()
            return 0.0
        self._ends.append((now_s, end))
        while len(self._ends) > 1 and self._ends[0][1] <= floor:
            self._ends.popleft()
        if len(self._ends) > LOOKS_MAX:
            self._ends = deque([*self._ends][::2])
        return now_s - self._ends[0][0]


class ConsumerLag:
    """The lag of one durable, as metrics."""

    def __init__(
        self, stream: Stream, durable: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream.name
        self._durable = durable
        self._clock = clock
        self._age = BacklogAge()

    async def measure(self, js: JetStreamContext) -> None:
        """Look, and export what is seen.

        Raises LeaderSilent, or NotThere if there is no such durable; nothing is known then.
        """
        try:
            with asking_leader_of(f"{self._stream}/{self._durable}"):
                consumer = await js.consumer_info(self._stream, self._durable)
                stream = await js.stream_info(self._stream)
        except BaseException:
            self.forget()
            raise
        waiting = (consumer.num_pending or 0) + (consumer.num_ack_pending or 0)
        floor = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
        age_s = self._age.note(
            self._clock(), waiting=waiting, floor=floor, end=stream.state.last_seq
        )
        PENDING.labels(self._stream, self._durable).set(waiting)
        OLDEST.labels(self._stream, self._durable).set(age_s)

    def forget(self) -> None:
        """Export nothing until the next look."""
        for gauge in (PENDING, OLDEST):
            gauge.remove(self._stream, self._durable)
