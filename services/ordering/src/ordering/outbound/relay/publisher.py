"""Publishing rows of the outbox, so that no event of an aggregate overtakes another."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import nats.errors
import orjson
from comanda_contracts import Message
from nats.aio.client import Client
from nats.js.api import PubAck
from service_kit.nats.jetstream import publish_all

BATCH = 1000
"""Events that NATS stores together at most."""

WORTH_A_BATCH = 100
"""Events from which on they are stored together: fewer are there sooner one by one."""

STORED_WITHIN = 10.0
"""Seconds in which NATS stores a batch, or refuses it."""

Published = tuple[dict[int, PubAck], Exception | None]
"""What acknowledges events, by their ids, and what went wrong with others, if anything."""


async def publish_in_order(client: Client, rows: Sequence[Any]) -> Published:
    """Publish rows, at most `BATCH` of them, in their order.

    Many of one stream go as a batch, of which NATS stores all or nothing, for one acknowledgement:
    an event's sequence is then at most the one that is returned for it. What NATS does not store as
    a batch (one of the events is there already, for one) is published one by one, which tells of
    each what is wrong with it.
    """
    stored: dict[int, PubAck] = {}
    failure: Exception | None = None
    for some in _by_stream(rows):
        last = await _store_together(client, some) if len(some) >= WORTH_A_BATCH else None
        if last is not None:
            stored |= dict.fromkeys((row.id for row in some), last)
        else:
            one_by_one, went_wrong = await _publish_one_by_one(client, some)
            stored |= one_by_one
            failure = failure or went_wrong
    return stored, failure


def _by_stream(rows: Sequence[Any]) -> list[list[Any]]:
    streams = defaultdict(list)
    for row in rows:
        streams[row.aggregate.partition(".")[0]].append(row)
    return list(streams.values())


async def _store_together(client: Client, rows: Sequence[Any]) -> PubAck | None:
    """Have all the rows stored or none; what acknowledges the last one, None if NATS did not."""
    batch = uuid4().hex
    *others, last = (
        (row, row.headers | {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(place)})
        for place, row in enumerate(rows, 1)
    )
    try:
        for row, headers in others:
            await client.publish(row.subject, row.body, headers=headers)
        row, headers = last
        headers["Nats-Batch-Commit"] = "1"
        reply = await client.request(row.subject, row.body, STORED_WITHIN, headers=headers)
    except nats.errors.Error:
        return None
    answer = orjson.loads(reply.data)
    is_stored = "error" not in answer and answer.get("count") == len(rows)
    return PubAck(answer["stream"], answer["seq"]) if is_stored else None


async def _publish_one_by_one(client: Client, rows: Sequence[Any]) -> Published:
    """Publish the rows, many in flight, but no two of one aggregate.

    An event whose forerunner failed is not sent, so that nothing overtakes it.
    """
    stored: dict[int, PubAck] = {}
    failure: Exception | None = None
    held_back: set[str] = set()
    for wave in waves([row.aggregate for row in rows]):
        next_ones = [rows[position] for position in wave]
        sendable = [row for row in next_ones if row.aggregate not in held_back]
        outcomes = await publish_all(
            client, [Message(row.subject, row.headers, row.body) for row in sendable]
        )
        for row, outcome in zip(sendable, outcomes, strict=True):
            if isinstance(outcome, Exception):
                failure = outcome
                held_back.add(row.aggregate)
            else:
                stored[row.id] = outcome
    return stored, failure


def waves(aggregates: Sequence[str]) -> list[list[int]]:
    """Positions of outbox rows, in groups that may be in flight together.

    The n-th event of each aggregate is in the n-th group, so that a group holds no two events of
    one aggregate, and an event goes only after the one before it was acknowledged.
    """
    seen: dict[str, int] = {}
    groups: list[list[int]] = []
    for position, aggregate in enumerate(aggregates):
        turn = seen.get(aggregate, 0)
        seen[aggregate] = turn + 1
        if turn == len(groups):
            groups.append([])
        groups[turn].append(position)
    return groups
