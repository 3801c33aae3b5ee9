"""Consuming streams in batches: large when there is a backlog, at once when there is none."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import structlog
from comanda_contracts import Event, Unreadable
from comanda_contracts.streams import Stream
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from typing_extensions import TypeVar

from service_kit.nats.dead_letters import DeadLetter, set_aside
from service_kit.nats.jetstream import jetstream
from service_kit.nats.pull import Pull
from service_kit.nats.set_up import set_up_consumer
from service_kit.nats.subscriber import Received, read_event
from service_kit.runtime.components import Ready
from service_kit.runtime.turns import in_turns

log = structlog.get_logger()

PROBE_EVERY = 2.0
"""Seconds between two looks at whether the consumers are still there."""
REDELIVER_AFTER = 1.0
"""Seconds after which a batch that failed is tried again."""


Content = TypeVar("Content", default=Event)


Handler = Callable[[list[Received[Content]]], Awaitable[None]]
"""Takes a batch and settles each message whose effect is stored; the others come again."""


@dataclass(frozen=True, slots=True)
class Consumer(Generic[Content]):
    """A durable consumer of some of a stream's subjects; `read` may raise Unreadable.

    `batches` is how many are handled at a time while there is a backlog; without one, what comes
    meanwhile is the next batch. With more than one nothing keeps two messages of one subject in
    their order.
    """

    stream: Stream
    durable: str
    subjects: tuple[str, ...]
    handler: Handler[Content]
    read: Callable[[Msg], Content] = read_event  # type: ignore[assignment]  # the default content
    batches: int = 1


async def consume(
    client: Client, service: str, consumers: Sequence[Consumer[Any]], ready: Ready
) -> None:
    """Set the consumers up and run them until cancelled.

    What can't be read is set aside on the dead-letter stream. A handler that fails is reported, and
    its batch is tried again. Raises if a stream or a consumer is missing, or the connection is
    lost: start it again.
    """
    js = jetstream(client)
    for consumer in consumers:
        await set_up_consumer(js, consumer.stream.name, consumer.durable, consumer.subjects)
    failing: dict[str, str] = {}
    async with asyncio.TaskGroup() as tasks:
        for consumer in consumers:
            tasks.create_task(_pull(client, service, consumer, failing))
        while True:
            await _check(js, consumers)
            ready(failing="; ".join(failing.values()) or None)
            await asyncio.sleep(PROBE_EVERY)


async def _check(js: JetStreamContext, consumers: Sequence[Consumer[Any]]) -> None:
    """Raise unless each consumer is there: one that was deleted would else be silent for ever."""
    await asyncio.gather(
        *(js.consumer_info(consumer.stream.name, consumer.durable) for consumer in consumers)
    )


async def _pull(
    client: Client, service: str, consumer: Consumer[Any], failing: dict[str, str]
) -> None:
    handling = set[asyncio.Task[None]]()
    try:
        async with Pull(client, consumer.stream.name, consumer.durable) as pull:

            def may_begin() -> bool:
                return not handling or (len(handling) < consumer.batches and pull.is_backlog)

            def end(batch: asyncio.Task[None]) -> None:
                handling.discard(batch)
                pull.look()

            while True:
                await pull.until(may_begin)
                messages = await pull.take()
                # a task of its own: on Python 3.11 a TaskGroup that fails leaves its task marked as
                # being cancelled, and this one would end
                batch = asyncio.create_task(_settle(client, service, consumer, messages, failing))
                handling.add(batch)
                batch.add_done_callback(end)
    finally:
        for batch in handling:
            batch.cancel()
        await asyncio.gather(*handling, return_exceptions=True)


async def _settle(
    client: Client,
    service: str,
    consumer: Consumer[Any],
    messages: Sequence[Msg],
    failing: dict[str, str],
) -> None:
    """Handle a batch; whatever goes wrong, nothing is lost: what is not settled comes again."""
    stream = consumer.stream.name
    try:
        await _handle(client, service, consumer, messages)
        failing.pop(stream, None)
    except asyncio.CancelledError:
        await _redeliver(messages, after=0)  # to a replica that goes on
        raise
    except Exception as error:  # whatever it is
        failing[stream] = f"{type(error).__name__}: {error}"
        log.warning("batch failed", stream=stream, reason=failing[stream])
        await _redeliver(messages, after=REDELIVER_AFTER)


async def _handle(
    client: Client, service: str, consumer: Consumer[Any], messages: Sequence[Msg]
) -> None:
    received, unreadable = [], []
    async for message in in_turns(messages):
        try:
            received.append(Received(consumer.read(message), message))
        except Unreadable as error:
            unreadable.append(DeadLetter(message, str(error)))
    if unreadable:
        await set_aside(client, service, unreadable)
    if received:
        await consumer.handler(received)


async def _redeliver(messages: Sequence[Msg], *, after: float) -> None:
    """Ask for what was not settled again soon, rather than after the acknowledgement's time."""
    for message in messages:
        if not message.is_acked:
            with contextlib.suppress(Exception):  # without a connection it comes again by itself
                await message.nak(delay=after)
