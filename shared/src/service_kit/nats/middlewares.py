"""What every batch goes through on its way to a handler, outermost first.

Traces, metrics by stream and consumer, and settlement: what can't be read or carried out is set
aside, what failed and may succeed comes again. A handler settles each message that succeeded.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from faststream import BaseMiddleware
from faststream.nats.prometheus.provider import BaseNatsMetricsSettingsProvider
from faststream.prometheus import ConsumeAttrs
from faststream.prometheus.middleware import PrometheusMiddleware
from nats.aio.msg import Msg
from opentelemetry.trace import Link, SpanKind, StatusCode
from prometheus_client import REGISTRY, Counter

from service_kit.nats.batches import in_halves
from service_kit.nats.dead_letters import DeadLetter, Kind, set_aside
from service_kit.nats.failures import (
    ATTEMPTS_MAX,
    PAUSE_MIN_S,
    Failure,
    Fate,
    HandlerHung,
    LeftUnsettled,
    StillAtIt,
    end_of,
    pause_s,
    reason_of,
)
from service_kit.nats.jetstream import ACK_WAIT
from service_kit.nats.subscriber import Batch, BatchSubscriber, Received, redeliver
from service_kit.runtime.tracing import continued, is_recording, span

log = structlog.get_logger()

RETRIED = Counter(
    "comanda_messages_retried_total",
    "Messages that failed and are to come again, by why: outage, blocked or passing",
    ["consumer", "fate"],
)

HANDLING_TIMEOUT_S = 2 * ACK_WAIT
"""After which a handler is ended that hangs: its messages have been given to others long since."""

CallNext = Callable[[Any], Any]


# decision/0038: a message ends by itself, by the class of its error
class Settlement(BaseMiddleware):
    """Has every message of a batch end by itself, by the fate that `failures.py` tells.

    FastStream swallows what a handler raises, which would leave its batch alone until the
    acknowledgement's time has passed.
    """

    async def consume_scope(self, call_next: CallNext, msg: Any) -> Any:
        batch: Batch = msg
        subscriber: BatchSubscriber = self.context.get_local("handler_")
        after_s = PAUSE_MIN_S
        try:
            received = list(await batch.decode() or ())
            await self._settle(batch.unreadable, batch, subscriber)
            if received:
                failures = await _handle(call_next, batch, received, subscriber)
                about = {id(each.message): each.about for each in received}
                subscriber.attempts.forget([each for each in batch.raw_message if each.is_acked])
                subscriber.failing = await self._settle(failures, batch, subscriber, about)
        except asyncio.CancelledError:
            after_s = 0  # to a replica that goes on
            raise
        finally:
            left = [each for each in batch.raw_message if id(each) not in batch.beside]
            await redeliver(left, after_s=after_s)

    def _wait_beside(
        self,
        message: Msg,
        error: StillAtIt,
        batch: Batch,
        subscriber: BatchSubscriber,
        about: Mapping[int, Mapping[str, str]],
    ) -> None:
        """Settle the message once the task has ended: as if its batch had waited for it."""

        async def settle() -> None:
            after_s = PAUSE_MIN_S
            try:
                failure = await end_of(error)
                if failure is None and not message.is_acked:
                    failure = LeftUnsettled()
                if failure is None:
                    subscriber.attempts.forget([message])
                else:
                    await self._settle([Failure(message, failure)], batch, subscriber, about)
            except asyncio.CancelledError:
                error.task.cancel()
                after_s = 0  # to a replica that goes on
                raise
            except Exception as failed:  # whatever it is, such as no room for dead letters
                reason = reason_of(failed)
                log.warning("message comes again", consumer=batch.consumer, reason=reason)
            finally:
                await redeliver([message], after_s=after_s)

        batch.beside.add(id(message))
        waiting = asyncio.create_task(settle())
        subscriber.beside.add(waiting)
        waiting.add_done_callback(subscriber.beside.discard)

    async def _settle(
        self,
        failures: Sequence[Failure],
        batch: Batch,
        subscriber: BatchSubscriber,
        about: Mapping[int, Mapping[str, str]] | None = None,
    ) -> str | None:
        """Set aside what has failed for good, and have the rest come again; returns why, if any.

        `about` is what handlers found out, by the ids of the messages in memory.
        """
        found_out = about or {}
        letters: list[DeadLetter] = []
        reasons: dict[Fate, str] = {}
        for message, error in ((failure.message, failure.error) for failure in failures):
            if isinstance(error, StillAtIt):
                self._wait_beside(message, error, batch, subscriber, found_out)
                continue
            batch.failed[id(message)] = type(error).__name__
            fate = subscriber.failures.fate_of(error)
            if fate is Fate.PERMANENT:
                letters.append(DeadLetter.of(message, error, found_out.get(id(message))))
                continue
            attempts = subscriber.attempts.add(message.metadata.sequence.stream, fate)
            if fate is Fate.PASSING and attempts >= ATTEMPTS_MAX:
                reason = f"failed {attempts} times, at last with {reason_of(error)}"
                own = found_out.get(id(message), {})
                letters.append(DeadLetter(message, Kind.GIVEN_UP, reason, own))
                continue
            RETRIED.labels(batch.consumer, fate).inc()
            reasons[fate] = reason_of(error)
            await redeliver([message], after_s=pause_s(fate, attempts))
        if reasons:
            log.warning("messages are to come again", consumer=batch.consumer, reasons=reasons)
        if letters:
            broker = self.context.get("broker")
            await set_aside(broker.connection, broker.service, letters)
        return next(iter(reasons.values()), None)


async def _handle(
    call_next: CallNext, batch: Batch, received: list[Received[Any]], subscriber: BatchSubscriber
) -> list[Failure]:
    """Have the batch handled. Returns the messages that failed, each with its error."""
    is_first = True

    async def handle(part: list[Received[Any]]) -> None:
        nonlocal is_first
        bound = asyncio.timeout(HANDLING_TIMEOUT_S)
        try:
            async with bound:
                if is_first:
                    is_first = False
                    await call_next(batch)
                else:
                    await subscriber.handler(part)
        except TimeoutError as error:
            if bound.expired():
                raise HandlerHung(f"not handled within {HANDLING_TIMEOUT_S:.0f} s") from error
            raise

    failures = await in_halves(handle, received, subscriber.failures)
    told = {id(failure.message) for failure in failures}
    return failures + [
        Failure(each.message, LeftUnsettled())
        for each in received
        if each.message.reply and not each.message.is_acked and id(each.message) not in told
    ]


class Spans(BaseMiddleware):
    """A span for each message, of its own trace, and one for its batch, to which it has a link.

    What is done for a message goes by its headers, which carry its span from here on. Only what is
    sampled has one; nothing has where no spans are recorded.
    """

    async def consume_scope(self, call_next: CallNext, msg: Any) -> Any:
        if not is_recording():
            return await call_next(msg)
        batch: Batch = msg
        name = f"process {batch.consumer}"
        size = {"messaging.batch.message_count": len(batch.raw_message)}
        with span(f"{name} batch", SpanKind.CONSUMER, parent={}, attributes=size) as together:
            links = [Link(together.get_span_context())]
            spans = [
                (message, began)
                for message in batch.raw_message
                if message.headers
                and (began := continued(name, SpanKind.CONSUMER, message.headers, links=links))
            ]
            try:
                return await call_next(msg)
            finally:
                for message, began in spans:
                    if error := batch.failed.get(id(message)):
                        began.set_status(StatusCode.ERROR, error)
                    began.end()


class _ByConsumer(BaseNatsMetricsSettingsProvider[list[Msg]]):
    """Labels metrics by stream and consumer. FastStream's own provider names the subject, which
    holds ids, so that labels would have no bound; of what is published the first word is enough.
    """

    def get_consume_attrs_from_message(self, msg: Any) -> ConsumeAttrs:
        batch: Batch = msg
        return {
            "destination_name": batch.consumer,
            "message_size": sum(len(message.data) for message in batch.raw_message),
            "messages_count": len(batch.raw_message),
        }

    def get_publish_destination_name_from_cmd(self, cmd: Any) -> str:
        return str(cmd.destination).partition(".")[0]


def metrics() -> Any:
    """FastStream's metrics of what is consumed, below `comanda_`."""
    return PrometheusMiddleware(
        settings_provider_factory=lambda _: _ByConsumer(),
        registry=REGISTRY,
        app_name="comanda",
        metrics_prefix="comanda",
    )
