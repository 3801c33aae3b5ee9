"""How far the views are behind the streams: in events, and in seconds of the events' own time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import nats.errors
from comanda_contracts.streams import Stream
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from prometheus_client import Gauge
from service_kit.nats.consumer_lag import look_at
from service_kit.nats.leader import LeaderSilent
from service_kit.runtime.components import Ready

from query.projection.projector import SERVICE

MEASURE_INTERVAL_S = 2.0
MEASURE_TIMEOUT_S = 3.0
"""Within which NATS must answer, or the lag counts as unknown."""

PENDING = Gauge(
    "comanda_query_pending_events", "Events not stored yet, of all replicas", ["stream"]
)
BEHIND = Gauge("comanda_query_behind_seconds", "Age of the oldest event not stored", ["stream"])


@dataclass(frozen=True, slots=True)
class Lag:
    """How many events of a stream are not stored yet, and the age of the oldest, in seconds."""

    stream: str
    events: int
    seconds: float


async def keep_measuring(
    jetstream: Callable[[], Awaitable[JetStreamContext]],
    streams: Sequence[Stream],
    within: float,
    ready: Ready,
) -> None:
    """Measure, report as metrics, and fail while a stream is more than `within` seconds behind.

    With 0 it never fails. Nor does it while the lag is not known, because NATS is away: old views
    are better than none.
    """
    while True:
        lags = await _known(jetstream, streams)
        _report(streams, lags)
        ready(failing=_too_old(lags, within))
        await asyncio.sleep(MEASURE_INTERVAL_S)


async def measure(js: JetStreamContext, stream: Stream) -> Lag:
    """The lag of one stream. One that is not there yet has nothing to wait for.

    Counted is what the consumer has not delivered and what was not acknowledged. The floor of its
    acknowledgements says no more than where to look for the oldest: all below it is stored.
    """
    try:
        backlog = await look_at(js, stream.name, SERVICE)
        events, floor = backlog.waiting, backlog.floor
    except NotFoundError:
        events, floor = await _all_of_it(js, stream), 0
    oldest = await _time_after(js, stream, floor) if events else None
    age = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
    return Lag(stream.name, events, max(0.0, age))


async def _known(
    jetstream: Callable[[], Awaitable[JetStreamContext]], streams: Sequence[Stream]
) -> list[Lag]:
    """The lag of each stream; nothing while NATS does not answer."""
    try:
        async with asyncio.timeout(MEASURE_TIMEOUT_S):
            js = await jetstream()
            return await asyncio.gather(*(measure(js, stream) for stream in streams))
    except (nats.errors.Error, LeaderSilent, TimeoutError, OSError):
        return []


async def _all_of_it(js: JetStreamContext, stream: Stream) -> int:
    """How much there is to project as long as nobody ever did."""
    try:
        return (await js.stream_info(stream.name)).state.messages
    except NotFoundError:
        return 0


async def _time_after(js: JetStreamContext, stream: Stream, sequence: int) -> datetime | None:
    """When the event in the first message after this one happened; None if there is none."""
    try:
        # of the leader: a direct get the archive may answer, which has other subjects
        message = await js.get_msg(stream.name, sequence + 1, subject=stream.subject, next=True)
    except NotFoundError:
        return None
    try:
        happened = datetime.fromisoformat((message.headers or {}).get("ce-time", ""))
    except ValueError:  # no event, but to be dealt with all the same
        return message.time
    return happened if happened.tzinfo else message.time


def _report(streams: Sequence[Stream], lags: Sequence[Lag]) -> None:
    known = {lag.stream: lag for lag in lags}
    for stream in streams:
        if lag := known.get(stream.name):
            PENDING.labels(stream.name).set(lag.events)
            BEHIND.labels(stream.name).set(lag.seconds)
        else:
            PENDING.remove(stream.name)
            BEHIND.remove(stream.name)


def _too_old(lags: Sequence[Lag], within: float) -> str | None:
    late = [lag for lag in lags if within and lag.seconds > within]
    return "; ".join(f"{lag.stream} is {lag.seconds:.0f} s behind" for lag in late) or None
