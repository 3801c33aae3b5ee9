"""Publishing rows of the outbox, so that no event of an aggregate overtakes another."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

import nats.errors
import orjson
from comanda_contracts import Message
from nats.aio.client import Client
from nats.js.api import PubAck
from nats.js.errors import (
    APIError,
    BadRequestError,
    NoStreamResponseError,
    ServiceUnavailableError,
)
from opentelemetry.trace import Span, SpanKind, StatusCode
from service_kit.nats.jetstream import publish_all, require_sendable
from service_kit.nats.router import Router
from service_kit.runtime.tracing import continued

from ordering.contract import EVENT_MODELS

MAX_BATCH_EVENTS = 1000
"""Events that NATS stores as one batch at most."""

MIN_BATCH_EVENTS = 100
"""Events that are worth a batch: fewer are stored sooner one by one."""

BATCH_TIMEOUT_S = 10.0
"""Seconds in which NATS stores a batch, or refuses it."""


MESSAGE_TOO_LARGE, HEADERS_TOO_LARGE = 10054, 10097
"""Errors of a stream that never takes a message."""


class Published(NamedTuple):
    """What became of events, by their ids; what is behind one that failed was not sent."""

    stored: dict[int, PubAck]
    failures: dict[int, Exception]

    def update(self, others: "Published") -> None:
        """Take in what became of other events."""
        self.stored.update(others.stored)
        self.failures.update(others.failures)


def event_router() -> Router:
    """Says for the AsyncAPI document which events the relay publishes."""
    router = Router()
    router.publishes(*EVENT_MODELS.values())
    return router


async def publish_in_order(client: Client, rows: Sequence[Any]) -> Published:
    """Publish rows, at most `MAX_BATCH_EVENTS` of a stream, in their order.

    Many of one stream go as a batch, of which NATS stores all or nothing, one after the other, for
    one acknowledgement. A batch that NATS does not store (because one of the events is there
    already, for example) is published one by one, which tells what is wrong with each event. A
    stream that does not answer keeps no other waiting.
    """
    published = Published({}, {})
    by_stream = (_publish_kind(client, batch) for batch in by_kind(rows).values())
    with _spans_of(rows) as spans:
        for each in await asyncio.gather(*by_stream):
            published.update(each)
        for id_ in spans.keys() - published.stored.keys():
            spans[id_].set_status(StatusCode.ERROR, "not stored")
    return published


@contextlib.contextmanager
def _spans_of(rows: Sequence[Any]) -> Iterator[Mapping[int, Span]]:
    """A span for each event whose trace is recorded, which its message carries on; by their ids."""
    spans = {
        row.id: began
        for row in rows
        if (began := continued(f"publish {kind_of(row)}", SpanKind.PRODUCER, row.headers))
    }
    try:
        yield spans
    finally:
        for each in spans.values():
            each.end()


async def _publish_kind(client: Client, rows: Sequence[Any]) -> Published:
    """Publish rows of one stream, which waits for no other."""
    last = await _store_batch(client, rows) if len(rows) >= MIN_BATCH_EVENTS else None
    if last is None:
        return await _publish_one_by_one(client, rows)
    first_sequence = last.seq - len(rows) + 1
    stored = {
        row.id: PubAck(last.stream, sequence) for sequence, row in enumerate(rows, first_sequence)
    }
    return Published(stored, {})


def is_permanent(event: Any, error: Exception) -> bool:
    """Whether the event, as it is, will never be published: the fault is its own."""
    match error:
        case nats.errors.MaxPayloadError() | nats.errors.BadSubjectError():
            return True
        case BadRequestError():
            return error.err_code in (MESSAGE_TOO_LARGE, HEADERS_TOO_LARGE)
        case NoStreamResponseError():
            return not event.subject.startswith(f"{event.aggregate}.")
        case _:
            return not isinstance(error, nats.errors.Error | OSError | TimeoutError)


def is_refusal(error: Exception) -> bool:
    """Whether the stream has answered no. Silence, and 503 of one that is away or full, is none."""
    return isinstance(error, APIError) and not isinstance(error, ServiceUnavailableError)


def kind_of(row: Any) -> str:
    """The kind of aggregate that an event is of: it tells which stream takes it."""
    return kind_of_aggregate(row.aggregate)


def kind_of_aggregate(aggregate: str) -> str:
    """`menu`, for example, of `menu.v1.la-piazza.tea`."""
    return aggregate.partition(".")[0]


def by_kind(rows: Sequence[Any]) -> Mapping[str, list[Any]]:
    """The events by the kind of their aggregate, each kind's in their order."""
    kinds = defaultdict[str, list[Any]](list)
    for row in rows:
        kinds[kind_of(row)].append(row)
    return kinds


# decision/0027: a backlog is published in atomic batches
async def _store_batch(client: Client, rows: Sequence[Any]) -> PubAck | None:
    """Have all the rows stored or none; returns the last one's acknowledgement, or None."""
    batch_id = uuid4().hex
    messages = [
        Message(
            row.subject,
            row.headers | {"Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(position)},
            row.body,
        )
        for position, row in enumerate(rows, 1)
    ]
    last = messages[-1]
    last_headers = dict(last.headers) | {"Nats-Batch-Commit": "1"}
    try:
        for message in messages:
            require_sendable(client, message)
        for each in messages[:-1]:
            await client.publish(each.subject, each.body, headers=dict(each.headers))
        reply = await client.request(last.subject, last.body, BATCH_TIMEOUT_S, headers=last_headers)
    except (nats.errors.Error, ValueError):
        return None
    answer = orjson.loads(reply.data)
    is_stored = "error" not in answer and answer.get("count") == len(rows)
    return PubAck(answer["stream"], answer["seq"]) if is_stored else None


async def _publish_one_by_one(client: Client, rows: Sequence[Any]) -> Published:
    """Publish the rows, many in flight, but no two of one aggregate.

    An event is not sent if the one before it failed, so that nothing overtakes it.
    """
    published = Published({}, {})
    held_back: set[str] = set()
    for wave in waves([row.aggregate for row in rows]):
        in_wave = [rows[position] for position in wave]
        sendable = [row for row in in_wave if row.aggregate not in held_back]
        outcomes = await publish_all(
            client, [Message(row.subject, row.headers, row.body) for row in sendable]
        )
        for row, outcome in zip(sendable, outcomes, strict=True):
            if isinstance(outcome, Exception):
                published.failures[row.id] = outcome
                held_back.add(row.aggregate)
            else:
                published.stored[row.id] = outcome
    return published


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
