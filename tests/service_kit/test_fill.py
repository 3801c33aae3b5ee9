"""A stream that is four fifths full is told, by whichever bound."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from comanda_contracts.streams import MENU, ORDERS, TICKETS, Stream
from prometheus_client import REGISTRY
from service_kit.nats import fill
from service_kit.nats.fill import FILL, watch_fill


class Streams:
    """JetStream with one stream, as its leader tells of it."""

    _prefix, _timeout = "", 0

    def __init__(self, name: str, messages: int, size_bytes: int, **bounds: Any) -> None:
        self._info = {"config": {"name": name} | bounds, "state": state(messages, size_bytes)}

    async def _api_request(self, *_: Any, **__: Any) -> dict[str, Any]:
        return self._info


def state(messages: int, size_bytes: int) -> dict[str, Any]:
    """The oldest message is an hour old."""
    first = datetime.now(UTC) - timedelta(hours=1)
    return {
        "messages": messages,
        "bytes": size_bytes,
        "first_seq": 1,
        "last_seq": messages,
        "consumer_count": 0,
        "num_subjects": 7,
        "first_ts": first.isoformat(),
    }


@pytest.mark.parametrize(
    ("stream", "held", "bounds", "said"),
    [
        (ORDERS, (9, 79), {"max_bytes": 100}, None),
        (ORDERS, (9, 80), {"max_bytes": 100}, "ORDERS holds 80% of its bytes"),
        (MENU, (9, 10), {"max_msgs": 10}, "MENU holds 90% of its messages"),
        (MENU, (9, 10), {"max_bytes": -1, "max_msgs": -1}, None),
        (ORDERS, (159, 10), {}, None),
        (ORDERS, (160, 10), {}, "ORDERS holds 80% of its orders"),
        (TICKETS, (319, 10), {}, None),
        (TICKETS, (320, 10), {}, "TICKETS holds 80% of its orders"),
        (MENU, (10_000, 10), {}, None),
    ],
)
async def test_a_stream_is_told_from_eighty_per_cent_on(
    stream: Stream, held: tuple[int, int], bounds: dict[str, int], said: str | None
) -> None:
    """NATS has the memory for 100 orders."""
    told: list[str | None] = []
    heard = asyncio.Event()

    def ready(failing: str | None = None) -> None:
        told.append(failing)
        heard.set()

    js: Any = Streams(stream.name, *held, **bounds)
    watching = asyncio.create_task(watch_fill(js, [stream], ready, orders_max=100))
    await heard.wait()
    watching.cancel()

    assert told == [said]
    of_stream = {"stream": stream.name}
    assert REGISTRY.get_sample_value("comanda_stream_messages", of_stream) == held[0]
    assert REGISTRY.get_sample_value("comanda_stream_bytes", of_stream) == held[1]
    assert REGISTRY.get_sample_value("comanda_stream_subjects", of_stream) == 7
    assert (REGISTRY.get_sample_value("comanda_stream_oldest_seconds", of_stream) or 0) >= 3600
    if said:
        (of,) = {"bytes", "messages", "orders"} & {said.rpartition(" ")[2]}
        assert FILL.labels(stream.name, of)._value.get() >= fill.CROWDED_FROM
