"""A FastStream subscriber whose batches come at once: large from a backlog, one by one without.

FastStream's own batch subscriber hands a batch over when it is full or its timeout has passed, so
the timeout is the latency of a quiet evening. This one keeps a request standing (`pull.py`), and
leaves everything else to FastStream: routers, middlewares, graceful stop, documents.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

import structlog
from comanda_contracts import Event, Unreadable, read, subjects
from comanda_contracts.streams import Stream
from faststream.nats import JStream, PullSub
from faststream.nats.message import NatsBatchMessage
from faststream.nats.subscriber.config import NatsSubscriberConfig
from faststream.nats.subscriber.usecases import BatchPullStreamSubscriber
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import ServiceUnavailableError
from typing_extensions import TypeVar, override

from service_kit.nats.failures import Attempts, Classifier, Failure
from service_kit.nats.jetstream import jetstream
from service_kit.nats.leader import asking_leader_of, naming_what_is_not_there
from service_kit.nats.pull import EXPIRES_S, MESSAGES_MAX, Pull
from service_kit.runtime.cancellation import cancel_until_ended
from service_kit.runtime.components import reason_of
from service_kit.runtime.turns import in_turns

log = structlog.get_logger()

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
"""Pauses before messages are asked for again when that has failed: they grow until some come."""
GIVE_BACK_TIMEOUT_S = EXPIRES_S + 1
"""For which one that is told to stop may give back what it has not begun, undisturbed."""

Content = TypeVar("Content", default=Event)


@dataclass(frozen=True, slots=True)
class Received(Generic[Content]):
    """One message and what it says. Settle it by `message.ack()` once its effect is stored.

    `about` is what its handler found out and a dead letter of it is to say, such as its `SENDER`.
    """

    event: Content
    message: Msg
    about: dict[str, str] = field(default_factory=dict)


Reader = Callable[[Msg], Content]
"""Makes of a message what it says. Raises Unreadable."""

Handler = Callable[[list[Received[Any]]], Awaitable[Any]]
"""Has the effect of a batch stored, and settles its messages."""


def read_event(message: Msg) -> Event:
    """The event in a message, of a stream or its archive.

    Raises Unreadable, also if it is not on its own event's subject.

    Who may publish, and who may read, is granted by subjects, which name the restaurant.
    """
    event = read(message.headers, message.data)
    try:
        subject = event.subject
    except ValueError as error:
        raise Unreadable(f"{event.TYPE}: {error}") from error
    if subject != message.subject != subjects.archived(subject):
        raise Unreadable(f"{event.TYPE} of {subject} does not belong on {message.subject}")
    return event


class Batch(NatsBatchMessage):
    """Messages that came together, as FastStream's middlewares pass them on.

    What can be read of them is what `decode` returns; what can't be is in `unreadable` then.
    """

    def __init__(self, messages: list[Msg], consumer: str) -> None:
        super().__init__(raw_message=messages, body=[])
        self.consumer = consumer
        """The stream and the durable that they came by, such as `ORDERS/serving`."""
        self.unreadable: list[Failure] = []
        self.failed: dict[int, str] = {}
        """The names of the errors by which messages failed, by the messages' ids in memory."""
        self.beside = set[int]()
        """The ids in memory of messages that have no end yet and are waited for elsewhere."""


# decision/0031: FastStream carries the messaging, with batches that come at once
class BatchSubscriber(BatchPullStreamSubscriber):
    """Consumes a durable that was set up before, and hands on lists of `Received`."""

    def __init__(
        self,
        config: NatsSubscriberConfig,
        specification: Any,
        calls: Any,
        *,
        stream: Stream,
        durable: str,
        reader: Reader[Any],
        batches: int,
        failures: Classifier,
        before: Callable[[Client], Awaitable[None]] | None,
    ) -> None:
        """`before` is done before messages are asked for, on each connection; if it raises, again.

        `batches` is how many are handled at a time while there is a backlog.

        Without one, what comes meanwhile is the next batch. With more than one nothing keeps two
        messages of one subject in their order.
        """
        super().__init__(
            config,
            specification,
            calls,
            stream=JStream(stream.name, declare=False),
            pull_sub=PullSub(batch_size=MESSAGES_MAX, batch=True),
        )
        self._parser, self._decoder = self._parse, self._read
        self.durable = durable
        self.failing: str | None = None
        """Why the last batch failed; None if it did not."""
        self.failures = failures
        self.attempts = Attempts()
        self.beside = set[asyncio.Task[None]]()
        """What waits for the ends of messages whose batches went on without them."""
        self.reader = reader
        self._batches = batches
        self._before = before
        self.pause_s = FIRST_PAUSE_S
        """Before messages are asked for again, the next time that there are none."""
        self._said: str | None = None
        """Why there are no messages, as the log has it; None while some may come."""

    @property
    def handler(self) -> Handler:
        """The declared function itself, without what FastStream puts around it."""
        return self.calls[0].handler

    @override
    async def stop(self) -> None:
        """Let the batches in flight end, then give back what was not begun."""
        tasks, self.tasks = self.tasks, []
        await super().stop()
        await cancel_until_ended(tasks, grace_s=GIVE_BACK_TIMEOUT_S)
        await cancel_until_ended(self.beside, grace_s=GIVE_BACK_TIMEOUT_S)

    @override
    async def _create_subscription(self) -> None:
        self.add_task(self._consume_pull)

    @override
    async def _consume_pull(self) -> None:
        while self.running:
            try:
                await self._pull()
            except Exception as error:  # whatever it is, messages are asked for again
                self._say(reason_of(error))
                pause_s = self.pause_s
                self.pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                await asyncio.sleep(pause_s)

    async def _pull(self) -> None:
        """Consume until told to stop. Raises NotThere if there is no such stream or durable."""
        name = f"{self.stream.name}/{self.durable}"
        with naming_what_is_not_there(name):
            if self._before:
                await self._before(self.connection)
            try:
                async with Pull(self.connection, self.stream.name, self.durable) as pull:
                    await self._consume(pull)
            except ServiceUnavailableError:  # nobody there to be asked: is there nothing to ask?
                with asking_leader_of(name):
                    await jetstream(self.connection).consumer_info(self.stream.name, self.durable)
                raise

    def _say(self, reason: str) -> None:
        """Log why there are no messages, unless it has been said."""
        if reason != self._said:
            log.warning("no messages", stream=self.stream.name, reason=reason)
        self._said = reason

    async def _consume(self, pull: Pull) -> None:
        handling = set[asyncio.Task[Any]]()

        def may_begin() -> bool:
            return not handling or (len(handling) < self._batches and pull.is_backlog)

        def end(batch: asyncio.Task[Any]) -> None:
            handling.discard(batch)
            pull.look()

        try:
            while True:
                await pull.until(may_begin)
                messages = await pull.take()
                self.pause_s, self._said = FIRST_PAUSE_S, None
                if not self.running:
                    await redeliver(messages, after_s=0)
                    return
                batch = asyncio.create_task(self.consume(messages))
                handling.add(batch)
                batch.add_done_callback(end)
        except asyncio.CancelledError:
            for batch in handling:
                batch.cancel()
            raise
        finally:
            await asyncio.gather(*handling, return_exceptions=True)

    async def _parse(self, messages: list[Msg]) -> Batch:
        return Batch(messages, f"{self.stream.name}/{self.durable}")

    async def _read(self, batch: Batch) -> Sequence[Received[Any]]:
        received = []
        async for message in in_turns(batch.raw_message):
            try:
                received.append(Received(self.reader(message), message))
            except Unreadable as error:
                batch.unreadable.append(Failure(message, error))
        return received


async def redeliver(messages: Sequence[Msg], *, after_s: float) -> None:
    """Ask for what was not settled again soon, rather than after the acknowledgement's time."""
    for message in messages:
        if not message.is_acked:
            with contextlib.suppress(Exception):  # without a connection it comes again by itself
                await message.nak(delay=after_s)
