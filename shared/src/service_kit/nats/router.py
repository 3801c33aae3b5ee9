"""A FastStream router whose subscribers are durables with batches that come at once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from comanda_contracts import Event
from comanda_contracts.streams import Stream
from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream.middlewares import AckPolicy
from faststream.nats import NatsRouter
from faststream.nats.broker.registrator import NatsRegistrator
from faststream.nats.configs import NatsBrokerConfig
from faststream.nats.subscriber.config import (
    NatsSubscriberConfig,
    NatsSubscriberSpecificationConfig,
)
from nats.aio.client import Client
from nats.js.api import ConsumerConfig

from service_kit.nats.failures import Classifier
from service_kit.nats.specification import ALL, ConsumedMessages, messages_on
from service_kit.nats.subscriber import BatchSubscriber, Reader, read_event


class Router(NatsRouter):
    """Collects a service's subscribers, and what it publishes, to be included in its broker.

    `failures` tells what the errors mean that its handlers raise.
    """

    def __init__(self, failures: Classifier | None = None) -> None:
        super().__init__()
        self._failures = failures or Classifier()

    def batch_subscriber(
        self,
        stream: Stream,
        *,
        durable: str,
        filter_subjects: Sequence[str],
        reader: Reader[Any] = read_event,
        batches: int = 1,
        before: Callable[[Client], Awaitable[None]] | None = None,
    ) -> BatchSubscriber:
        """Declare a handler of a durable's batches; the durable itself is made by `set_up`.

        The handler takes a list of `Received` and settles each message by itself, once its effect
        is stored; it returns nothing. It is safe to repeat, and raises BatchFailed, which names the
        messages that failed, or anything else: then those that it left are handled in halves, until
        it is known whose failure it is. What becomes of those is decided in `failures.py`. What
        `reader` can't read never reaches it.
        `batches` is how many are handled at a time of a backlog. `before` is done, with the
        connection, before messages are asked for; while it raises none are.
        """
        config = cast("NatsBrokerConfig", self.config)
        calls = CallsCollection[Any]()
        subscriber = BatchSubscriber(
            NatsSubscriberConfig(
                subject="",
                sub_config=ConsumerConfig(
                    durable_name=durable, filter_subjects=list(filter_subjects)
                ),
                no_reply=True,
                _outer_config=config,
                _ack_policy=AckPolicy.MANUAL,
            ),
            ConsumedMessages(
                _outer_config=config,
                calls=calls,
                specification_config=NatsSubscriberSpecificationConfig(
                    subject="",
                    queue=None,
                    filter_subjects=list(filter_subjects),
                    title_=None,
                    description_=None,
                    include_in_schema=True,
                ),
            ),
            calls,
            stream=stream,
            durable=durable,
            reader=reader,
            batches=batches,
            failures=self._failures,
            before=before,
        )
        super(NatsRegistrator, self).subscriber(subscriber)
        return subscriber.add_call(parser_=None, decoder_=None, dependencies_=())

    def publishes(self, *events: type[Event]) -> None:
        """Say for the document which events the service publishes.

        The events themselves leave by the outbox or by compare-and-set, not by these publishers.
        """
        for event in events:
            for message in messages_on(ALL, of=event):
                self.publisher(message.address, schema=event, title=message.title)
