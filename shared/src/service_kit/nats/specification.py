"""What a service consumes and publishes, for its AsyncAPI document: by the published contracts.

FastStream would describe a handler's argument, and knows neither the parts of a subject nor which
event travels on it; the contracts do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from comanda_contracts import subjects
from comanda_contracts.commands import COMMAND_BODIES
from comanda_contracts.examples import EXAMPLES
from faststream.nats.subscriber.specification import NatsSubscriberSpecification
from faststream.specification.asyncapi.utils import resolve_payloads
from faststream.specification.schema import Message, Operation, SubscriberSpec
from pydantic import TypeAdapter

ALL = (">",)


@dataclass(frozen=True, slots=True)
class PublishedMessage:
    """One kind of message: where it travels, what it is called, and its body's model."""

    address: str
    """With the parts of its subject in braces: `orders.v1.{restaurant}.{order_id}.placed`."""
    title: str
    model: Any


def messages_on(filter_subjects: Sequence[str], *, of: Any = None) -> Iterator[PublishedMessage]:
    """Every kind of message that the filters let through; only those of one model, if given."""
    kinds: list[tuple[str, str, Any]] = [
        (each.subject, type(each).__name__, type(each)) for each in EXAMPLES
    ]
    for name, body in COMMAND_BODIES.items():
        title = "".join(part.title() for part in name.split("-"))
        kinds.append((subjects.command("restaurant", name), title, body))
    for subject, title, model in kinds:
        is_let_through = any(subjects.covers(each, subject) for each in filter_subjects)
        if is_let_through and of in (None, model):
            yield PublishedMessage(subjects.address(subject), title, model)


class ConsumedMessages(NatsSubscriberSpecification):
    """A channel for each kind of message that a subscriber's filters let through."""

    __slots__ = ()

    def get_schema(self) -> dict[str, SubscriberSpec]:
        return {
            (key := f"{message.title}:{self.call_name}"): SubscriberSpec(
                address=message.address,
                description=self.description,
                operation=Operation(
                    message=Message(
                        title=f"{key}:Message",
                        payload=resolve_payloads([(_schema(message), message.title)]),
                    ),
                    bindings=None,
                ),
                bindings=None,
            )
            for message in messages_on(self.config.filter_subjects)
        }


def _schema(message: PublishedMessage) -> dict[str, Any]:
    model = message.model
    adapter = model if isinstance(model, TypeAdapter) else TypeAdapter(model)
    return {"title": message.title, **adapter.json_schema()}
