"""What the streams of a service hold; that one fills is told from 80 % on, while there is time."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from comanda_contracts.streams import ORDERS, TICKETS, Stream
from nats.js import JetStreamContext, api
from prometheus_client import Gauge

from service_kit.nats.leader import asking_leader_of
from service_kit.runtime.components import Ready

CROWDED_FROM = 0.8
"""The share of what a stream may hold from which on it is to be given room."""
CHECK_INTERVAL_S = 2.0
"""Seconds between two looks."""
MESSAGES_AN_ORDER = {ORDERS.name: 2, TICKETS.name: 4}
"""Of an order with one round: placed and closed; queued, started, ready and served. NATS needs
memory for each of their subjects, for as long as they are kept."""

FILL = Gauge(
    "comanda_stream_fill_ratio",
    "Share that a stream holds of what it may: of its bytes or messages, or of the orders that "
    "NATS has the memory for",
    ["stream", "of"],
)
BYTES = Gauge("comanda_stream_bytes", "Bytes that a stream holds", ["stream"])
MESSAGES = Gauge("comanda_stream_messages", "Messages that a stream holds", ["stream"])
SUBJECTS = Gauge(
    "comanda_stream_subjects", "Subjects of a stream, each of which takes memory", ["stream"]
)
OLDEST = Gauge(
    "comanda_stream_oldest_seconds",
    "Age of the oldest message that a stream holds; 0 if it holds none",
    ["stream"],
)


async def watch_fill(
    js: JetStreamContext, streams: Sequence[Stream], ready: Ready, *, orders_max: int
) -> None:
    """Say that there is room while each stream is less than 80 % full, by whichever bound.

    `orders_max` is the number of orders that NATS has the memory for; 0 if it is not known.
    Raises LeaderSilent while a stream does not answer, and NotThere while there is none.
    """
    while True:
        crowded: list[str] = []
        for stream in streams:
            with asking_leader_of(stream.name):
                info = await _measured(js, stream)
            for of, share in _shares(info, orders_max):
                FILL.labels(stream.name, of).set(share)
                if share >= CROWDED_FROM:
                    crowded.append(f"{stream.name} holds {share:.0%} of its {of}")
        ready(failing=", ".join(crowded) or None)
        await asyncio.sleep(CHECK_INTERVAL_S)


def _shares(info: api.StreamInfo, orders_max: int) -> Iterator[tuple[str, float]]:
    """What the stream holds of each of its bounds."""
    config, state = info.config, info.state
    bounds = [
        ("bytes", state.bytes, config.max_bytes or 0),
        ("messages", state.messages, config.max_msgs or 0),
    ]
    if an_order := MESSAGES_AN_ORDER.get(str(config.name)):
        bounds.append(("orders", state.messages, orders_max * an_order))
    for of, held, most in bounds:
        if most > 0:
            yield of, held / most


async def _measured(js: JetStreamContext, stream: Stream) -> api.StreamInfo:
    """What the stream's leader says of it, exported as metrics."""
    answer: dict[str, Any] = await js._api_request(  # the client drops what it does not know of
        f"{js._prefix}.STREAM.INFO.{stream.name}", b"", timeout=js._timeout
    )
    state = answer["state"]
    BYTES.labels(stream.name).set(state["bytes"])
    MESSAGES.labels(stream.name).set(state["messages"])
    SUBJECTS.labels(stream.name).set(state.get("num_subjects", 0))
    age_s = 0.0
    if state["messages"]:
        first = datetime.fromisoformat(state["first_ts"])
        age_s = max(0.0, (datetime.now(UTC) - first).total_seconds())
    OLDEST.labels(stream.name).set(age_s)
    info: api.StreamInfo = api.StreamInfo.from_response(answer)
    return info
