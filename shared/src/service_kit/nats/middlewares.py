"""What every batch goes through on its way to a handler, outermost first.

Traces, metrics by stream and consumer, redelivery of what a handler left, and the dead-letter
stream for what can't be read. A handler settles each message by itself.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from faststream import BaseMiddleware
from faststream.nats.prometheus.provider import BaseNatsMetricsSettingsProvider
from faststream.prometheus import ConsumeAttrs
from faststream.prometheus.middleware import PrometheusMiddleware
from nats.aio.msg import Msg
from opentelemetry import propagate, trace
from opentelemetry.trace import Link, SpanKind
from prometheus_client import REGISTRY

from service_kit.nats.dead_letters import set_aside
from service_kit.nats.subscriber import Batch, BatchSubscriber, redeliver

log = structlog.get_logger()

REDELIVER_AFTER_S = 1.0
"""Seconds after which what a failed handler left is tried again."""

CallNext = Callable[[Any], Any]


class Redelivery(BaseMiddleware):
    """Has what was left unsettled delivered again; a failure is reported, and never lost.

    FastStream swallows what a handler raises, which would leave its batch alone until the
    acknowledgement's time has passed.
    """

    async def consume_scope(self, call_next: CallNext, msg: Any) -> Any:
        subscriber: BatchSubscriber = self.context.get_local("handler_")
        after_s = REDELIVER_AFTER_S
        try:
            await call_next(msg)
            subscriber.failing = None
        except asyncio.CancelledError:
            after_s = 0  # to a replica that goes on
            raise
        except Exception as error:
            subscriber.failing = f"{type(error).__name__}: {error}"
            log.warning("batch failed", consumer=msg.consumer, reason=subscriber.failing)
            raise
        finally:
            await redeliver(msg.raw_message, after_s=after_s)


class DeadLetters(BaseMiddleware):
    """Sets aside what can't be read, message by message, and hands on the rest."""

    async def consume_scope(self, call_next: CallNext, msg: Any) -> Any:
        batch: Batch = msg
        received = await batch.decode()
        if batch.unreadable:
            broker = self.context.get("broker")
            await set_aside(broker.connection, broker.service, batch.unreadable)
        if received:
            await call_next(batch)


class Spans(BaseMiddleware):
    """A span for each batch, linked to the trace of each message; nothing without a tracer."""

    async def consume_scope(self, call_next: CallNext, msg: Any) -> Any:
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            return await call_next(msg)
        links = [
            Link(span.get_span_context())
            for message in msg.raw_message
            if "traceparent" in (headers := message.headers or {})
            for span in [trace.get_current_span(propagate.extract(headers))]
        ]
        tracer = trace.get_tracer(__name__)
        with tracer.start_as_current_span(
            f"process {msg.consumer}", kind=SpanKind.CONSUMER, links=links
        ):
            return await call_next(msg)


class _ByConsumer(BaseNatsMetricsSettingsProvider[list[Msg]]):
    """Labels metrics by stream and consumer. FastStream's own provider names the subject, which
    holds ids, so that labels would have no bound.
    """

    def get_consume_attrs_from_message(self, msg: Any) -> ConsumeAttrs:
        batch: Batch = msg
        return {
            "destination_name": batch.consumer,
            "message_size": sum(len(message.data) for message in batch.raw_message),
            "messages_count": len(batch.raw_message),
        }


def metrics() -> Any:
    """FastStream's metrics of what is consumed, below `comanda_`."""
    return PrometheusMiddleware(
        settings_provider_factory=lambda _: _ByConsumer(),
        registry=REGISTRY,
        app_name="comanda",
        metrics_prefix="comanda",
    )
