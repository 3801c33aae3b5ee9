"""What is heard of a stream before it is taken: bounded by all that a message has."""

import math
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from comanda_contracts.streams import ACCESS
from nats.aio.client import Client
from nats.aio.msg import Msg
from service_kit.nats import stream_follower
from service_kit.nats.stream_follower import HEARD_BYTES_MAX, _Follower

SMALL, LARGE = {"Nats-Sequence": "1", "Nats-Subject": "s"}, "x" * 60_000
MESSAGES = 1000


class Connection:
    """A connection that hears what a test says."""

    def __init__(self) -> None:
        self.stats = {"reconnects": 0}

    async def subscribe(self, _: str, cb: Callable[[Msg], Awaitable[None]]) -> "Connection":
        self.hear = cb
        return self

    async def unsubscribe(self) -> None:
        """Nothing more is said."""


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setattr(stream_follower, "jetstream", lambda client: client)
    return Connection()


def sequence(number: int, *_: Any) -> int:
    return number


@pytest.mark.parametrize(
    ("subject", "headers", "body"),
    [("s", SMALL, LARGE.encode()), ("s", SMALL | {"x": LARGE}, b""), (LARGE, SMALL, b"")],
    ids=["in bodies", "in headers", "in subjects"],
)
async def test_no_more_waits_than_there_is_room_for_whatever_it_is_in(
    connection: Connection, subject: str, headers: dict[str, str], body: bytes
) -> None:
    follower = _Follower(cast("Client", connection), ACCESS, sequence)  # type: ignore[type-var]
    async with follower.hearing():
        for _ in range(MESSAGES):
            await connection.hear(Msg(cast("Client", None), subject, data=body, headers=headers))
        heard = follower._heard.qsize()
        while not follower._heard.empty():
            await follower.hear(until=math.inf)

    assert 0 < heard * len(LARGE) < HEARD_BYTES_MAX + 2 * len(LARGE)
    assert follower._heard_bytes == 0, "there is room again"
