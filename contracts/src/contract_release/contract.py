"""The whole contract as plain data: what the gate compares, and what a release writes down."""

from dataclasses import asdict
from enum import StrEnum
from importlib.metadata import version
from typing import Any

from comanda_contracts import Channel, Event, OrderStatus, TicketStatus, streams, subjects
from comanda_contracts.commands import COMMAND_BODIES
from comanda_contracts.examples import EXAMPLES
from comanda_contracts.streams import Stream
from comanda_contracts.successions import SUCCESSIONS
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from contract_release.headers import COMMAND_HEADERS, HEADERS

Json = dict[str, Any]

STREAMS = (
    *(streams.ORDERS, streams.TICKETS, streams.MENU, streams.RESTAURANTS, streams.ACCESS),
    *(streams.COMMANDS, *streams.ARCHIVES),
)
"""The streams that are for others; dead letters are for their service alone."""

ADDRESSES: dict[str, tuple[str, ...]] = {
    streams.ORDERS.name: subjects.OrderSubject._fields,
    streams.TICKETS.name: subjects.TicketSubject._fields,
    streams.MENU.name: subjects.MenuSubject._fields,
    streams.RESTAURANTS.name: subjects.RestaurantSubject._fields,
    streams.ACCESS.name: subjects.AccessSubject._fields,
    streams.COMMANDS.name: subjects.CommandSubject._fields,
    streams.ORDERS_ARCHIVE.name: subjects.ArchivedSubject._fields,
    streams.TICKETS_ARCHIVE.name: subjects.ArchivedSubject._fields,
}
"""The parts of each stream's subjects."""


KNOWN_VALUES: tuple[type[StrEnum], ...] = (Channel, OrderStatus, TicketStatus)
"""Enumerations of events: later versions add to them, and take nothing away."""


def current() -> Json:
    """What these sources would publish."""
    return {
        "version": version("comanda-contracts"),
        "headers": HEADERS,
        "command_headers": COMMAND_HEADERS,
        "streams": {stream.name: asdict(stream) for stream in STREAMS},
        "known_values": {each.__name__: [str(value) for value in each] for each in KNOWN_VALUES},
        "events": {event.TYPE: _event(event) for event in EXAMPLES},
        "commands": {name: _command(name, model) for name, model in COMMAND_BODIES.items()},
        "successions": {
            each.older.TYPE: {"newer": each.newer.TYPE, "ends_on": each.ends_on.isoformat()}
            for each in SUCCESSIONS
        },
    }


def stream_of(event: Event) -> Stream:
    """The stream that an event goes to."""
    return next(each for each in STREAMS if subjects.covers(each.subject, event.subject))


def address(stream: Stream) -> str:
    """What a stream's subjects look like, such as `menu.v1.{restaurant}.{sku}.{event}`."""
    return ".".join(
        [stream.subject.removesuffix(".>"), *(f"{{{p}}}" for p in ADDRESSES[stream.name])]
    )


def everywhere(stream: Stream, name: str) -> str:
    """The filter for one kind of event or command in all restaurants: `orders.v1.*.*.placed`."""
    stars = ["*"] * (len(ADDRESSES[stream.name]) - 1)
    return ".".join([stream.subject.removesuffix(".>"), *stars, name])


class _WithoutTitles(GenerateJsonSchema):
    """A field's title would only repeat its name."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002
        return False


def _event(event: Event) -> Json:
    stream = stream_of(event)
    return {
        "stream": stream.name,
        "subject": everywhere(stream, event.leaf),
        "source": event.SOURCE,
        "schema": event.model_json_schema(mode="serialization", schema_generator=_WithoutTitles),
    }


def _command(name: str, model: TypeAdapter[Any]) -> Json:
    return {
        "subject": everywhere(streams.COMMANDS, name),
        "schema": model.json_schema(schema_generator=_WithoutTitles),
    }
