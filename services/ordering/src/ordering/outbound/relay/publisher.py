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
from service_kit.nats.router import Router

from ordering.contract import EVENT_MODELS

MAX_BATCH_EVENTS = 1000
"""Events that NATS stores as one batch at most."""

MIN_BATCH_EVENTS = 100
"""Events that are worth a batch: fewer are stored sooner one by one."""

BATCH_TIMEOUT_S = 10.0
"""Seconds in which NATS stores a batch, or refuses it."""

Published = tuple[dict[int, PubAck], Exception | None]
"""The acknowledgements of events, by their ids, and an error of another event, if there is one."""


def event_router() -> Router:
    """Says for the AsyncAPI document which events the relay publishes."""
    router = Router()
    router.publishes(*EVENT_MODELS.values())
    return router


async def publish_in_order(client: Client, rows: Sequence[Any]) -> Published:
    """Publish rows, at most `MAX_BATCH_EVENTS` of them, in their order.

    Many of one stream go as a batch, of which NATS stores all or nothing, for one acknowledgement:
    an event's sequence is then at most the one that is returned for it. A batch that NATS does not
    store (because one of the events is there already, for example) is published one by one, which
    tells what is wrong with each event.
    """
    stored: dict[int, PubAck] = {}
    failure: Exception | None = None
    for batch in _by_stream(rows):
        last = await _store_batch(client, batch) if len(batch) >= MIN_BATCH_EVENTS else None
        if last is not None:
            stored |= dict.fromkeys((row.id for row in batch), last)
        else:
            one_by_one, error = await _publish_one_by_one(client, batch)
            stored |= one_by_one
            failure = failure or error
    return stored, failure


def _by_stream(rows: Sequence[Any]) -> list[list[Any]]:
    streams = defaultdict(list)
    for row in rows:
        streams[row.aggregate.partition(".")[0]].append(row)
    return list(streams.values())


# decision/0027: a backlog is published in atomic batches
async def _store_batch(client: Client, rows: Sequence[Any]) -> PubAck | None:
    """Have all the rows stored or none; returns the last one's acknowledgement, or None."""
    batch_id = uuid4().hex
    *others, last = (
        (row, row.headers | {"Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(position)})
        for position, row in enumerate(rows, 1)
    )
    try:
        for row, headers in others:
            await client.publish(row.subject, row.body, headers=headers)
        row, headers = last
        headers["Nats-Batch-Commit"] = "1"
        reply = await client.request(row.subject, row.body, BATCH_TIMEOUT_S, headers=headers)
    except nats.errors.Error:
        return None
    answer = orjson.loads(reply.data)
    is_stored = "error" not in answer and answer.get("count") == len(rows)
    return PubAck(answer["stream"], answer["seq"]) if is_stored else None


async def _publish_one_by_one(client: Client, rows: Sequence[Any]) -> Published:
    """Publish the rows, many in flight, but no two of one aggregate.

    An event is not sent if the one before it failed, so that nothing overtakes it.
    """
    stored: dict[int, PubAck] = {}
    failure: Exception | None = None
    held_back: set[str] = set()
    for wave in waves([row.aggregate for row in rows]):
        in_wave = [rows[position] for position in wave]
        sendable = [row for row in in_wave if row.aggregate not in held_back]
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
        wave = seen.get(aggregate, 0)
        seen[aggregate] = wave + 1
        if wave == len(groups):
            groups.append([])
        groups[wave].append(position)
    return groups
