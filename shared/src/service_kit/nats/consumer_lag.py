"""How far a durable consumer is behind its stream: in messages, and in seconds."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a durable consumer has not settled, as its leader says."""

    undelivered: int
    unsettled: int
    """Messages that were delivered and are not acknowledged: they may have had no effect yet."""
    floor: int
    """Up to this message of the stream all is settled."""

    @property
    def waiting(self) -> int:
        """All that may have had no effect yet."""
        return self.undelivered + self.unsettled


async def look_at(js: JetStreamContext, stream: str, durable: str) -> Backlog:
    """The backlog of a durable. Raises LeaderSilent, or NotThere if there is no such durable."""
    with asking_leader_of(f"{stream}/{durable}"):
        consumer = await js.consumer_info(stream, durable)
    floor = consumer.ack_floor.stream_seq if consumer.ack_floor else 0
    return Backlog(consumer.num_pending or 0, consumer.num_ack_pending or 0, floor)


class BacklogAge:
    """For how long something has waited, by what was seen of a stream and its consumer.

    The oldest message itself is not read: not every service may. It was there at the first look at
    which the stream went beyond what is settled now, and not at the look before that.
    """

    def __init__(self) -> None:
        self._ends: deque[tuple[float, int]] = deque()
        """When the stream was looked at, and its last sequence then."""
        self.settled_until_s: float | None = None
        """All that the stream stored before this time is settled; None if nothing is known."""

    def note(self, now_s: float, *, waiting: int, floor: int, end: int) -> float:
        """Take a look: `waiting` messages behind `floor`, the stream's last one is `end`.

        The look was taken at `now_s` or later. Returns the seconds for which the oldest has waited
        at least.
        """
        if not waiting:
            self._ends.clear()
            self.settled_until_s = now_s
            return 0.0
        self._ends.append((now_s, end))
        while self._ends and self._ends[0][1] <= floor:
            self.settled_until_s, _ = self._ends.popleft()
        if len(self._ends) > LOOKS_MAX:
            self._ends = deque([*self._ends][::2])
        return now_s - self._ends[0][0] if self._ends else 0.0


class LagMeasure:
    """The lag of one durable: as metrics, and for whoever may act only on what was settled."""

    def __init__(
        self, stream: Stream, durable: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream.name
        self._durable = durable
        self._clock = clock
        self._age = BacklogAge()

    @property
    def seconds_max(self) -> float | None:
        """All that was stored longer ago is settled; None while nothing is known."""
        settled_until_s = self._age.settled_until_s
        return None if settled_until_s is None else self._clock() - settled_until_s

    async def measure(self, js: JetStreamContext) -> None:
        """Look, and export what is seen.

        Raises LeaderSilent, or NotThere if there is no such durable; nothing is known then.
        """
        now_s = self._clock()
        try:
            backlog = await look_at(js, self._stream, self._durable)
            with asking_leader_of(self._stream):
                stream = await js.stream_info(self._stream)
        except BaseException:
            self.forget()
            raise
        age_s = self._age.note(
            now_s, waiting=backlog.waiting, floor=backlog.floor, end=stream.state.last_seq
        )
        PENDING.labels(self._stream, self._durable).set(backlog.waiting)
        OLDEST.labels(self._stream, self._durable).set(age_s)

    def forget(self) -> None:
        """Export nothing until the next look."""
        for gauge in (PENDING, OLDEST):
            gauge.remove(self._stream, self._durable)
