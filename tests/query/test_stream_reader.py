"""A stream and its archive are read as one, whatever leaves the stream meanwhile."""

from typing import Any

import pytest
from comanda_contracts.streams import ORDERS, ORDERS_ARCHIVE, Stream
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from query.maintenance import stream_reader
from query.maintenance.stream_reader import direct_batches, sequence_of
from service_kit.nats.past import SEQUENCE_HEADER, SUBJECT_HEADER, Part

END = 5


async def test_what_leaves_the_stream_just_before_it_is_read_is_read_from_the_archive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = 1

    async def part_after(_: JetStreamContext, stream: Stream, position: int, until: int) -> Part:
        nonlocal first
        is_archived = stream is ORDERS and position + 1 < first
        part = Part(ORDERS_ARCHIVE, first - 1) if is_archived else Part(stream, until)
        first = 3  # once it was asked for, what is older leaves
        return part

    async def direct_batch(_: Client, stream: Stream, request: dict[str, Any]) -> list[Msg]:
        begin = max(request["seq"], first if stream is ORDERS else 1)
        return [_message(sequence) for sequence in range(begin, END + 1)]

    monkeypatch.setattr(stream_reader, "part_after", part_after)
    monkeypatch.setattr(stream_reader, "direct_batch", direct_batch)
    monkeypatch.setattr(stream_reader, "jetstream", Client.jetstream)

    batches = [each async for each in direct_batches(Client(), ORDERS, until=END)]

    assert [sequence_of(each) for batch in batches for each in batch] == [1, 2, 3, 4, 5]


def _message(sequence: int) -> Msg:
    headers = {SEQUENCE_HEADER: str(sequence), SUBJECT_HEADER: "orders.v1.la-piazza.1.placed"}
    return Msg(Client(), subject="", data=b"", headers=headers)
