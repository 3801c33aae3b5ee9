"""What a system is found to be at one moment, and what of that is wrong. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from comanda_contracts.streams import ALL_STREAMS, ARCHIVES

READY = "ready"
AWAY = "away"
LATE_AFTER_S = 30.0
"""Seconds for which an event may wait for the outbox's relay, or for a service."""
CROWDED_FROM = 0.8
"""The share of what a stream or store may hold from which on it is to be given room."""
SERVICES = ("ordering", "serving", "query")


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What a service's health page says; `away`, and why, if it says nothing."""

    name: str
    url: str
    state: str
    components: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def failing(self) -> dict[str, str]:
        """The components that do not work, and what they say."""
        return {name: state for name, state in self.components.items() if state != READY}


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """A stream, and its bounds; None stands for one that it has not."""

    name: str
    messages: int
    bytes: int
    messages_max: int | None = None
    bytes_max: int | None = None
    age_max_s: float | None = None
    copies: int = 1
    copies_away: Sequence[str] = ()
    """Names of the servers whose copy is behind or not there."""

    @property
    def fill(self) -> float | None:
        """The share that it holds of what it may; None if it has no such bound."""
        bounds = ((self.messages, self.messages_max), (self.bytes, self.bytes_max))
        return max((held / most for held, most in bounds if most), default=None)


@dataclass(frozen=True, slots=True)
class ConsumerStatus:
    """How far a durable consumer is behind its stream."""

    stream: str
    name: str
    waiting: int
    """Messages that were not delivered yet."""
    unsettled: int
    """Messages that were delivered, and neither acknowledged nor given back."""
    oldest_s: float | None = None
    """Seconds since the oldest of them was stored; None if there is none."""

    @property
    def behind(self) -> int:
        return self.waiting + self.unsettled

    @property
    def is_a_services(self) -> bool:
        """Whether a service reads by it, and not a team."""
        return self.name in SERVICES


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """Events of ordering that are committed, and not published."""

    events: int
    oldest_s: float | None
    parked: int


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """A server that keeps something; `reason` says why it is not ready."""

    name: str
    version: str = ""
    bytes: int | None = None
    bytes_max: int | None = None
    reason: str = ""
    is_known: bool = True
    """False if nobody has said where it is."""


@dataclass(frozen=True, slots=True)
class SystemStatus:
    """All of it. What a store that is away would have said is empty."""

    services: Sequence[ServiceStatus]
    stores: Sequence[StoreStatus]
    streams: Sequence[StreamStatus] | None = None
    """None if NATS did not say."""
    consumers: Sequence[ConsumerStatus] = ()
    dead_letters: dict[str, int] = field(default_factory=dict)
    """How many each service set aside."""
    outbox: OutboxStatus | None = None


def troubles(status: SystemStatus) -> list[str]:
    """What is wrong, each in a few words; nothing if all is well."""
    return [
        *(f"{each.name}: {each.reason}" for each in status.stores if each.reason),
        *(said for service in status.services for said in _of_service(service)),
        *_of_streams(status.streams),
        *(said for store in status.stores for said in _of_room(store)),
        *(said for consumer in status.consumers for said in _of_consumer(consumer)),
        *(_of_outbox(status.outbox) if status.outbox else ()),
        *(
            f"{count:,} dead letter{'s' * (count != 1)} of {service}"
            for service, count in status.dead_letters.items()
        ),
    ]


def _of_service(service: ServiceStatus) -> Iterator[str]:
    if service.state == READY:
        return
    failing = ", ".join(f"{name}: {state}" for name, state in service.failing.items())
    said = failing or service.reason
    yield f"{service.name} is {service.state}" + (f" ({said})" if said else "")


def _of_streams(streams: Sequence[StreamStatus] | None) -> Iterator[str]:
    if streams is None:
        return
    found = {stream.name for stream in streams}
    wanted = (*ALL_STREAMS, *ARCHIVES)
    yield from (f"no stream {each.name}" for each in wanted if each.name not in found)
    archives = {each.name for each in ARCHIVES}
    for stream in streams:
        fill = 0.0 if stream.name in archives else stream.fill or 0.0  # a full archive keeps up
        if fill >= CROWDED_FROM:
            yield f"{stream.name} is {fill:.0%} full"
        if stream.copies_away:
            yield f"{stream.name} has no current copy on {', '.join(stream.copies_away)}"


def _of_room(store: StoreStatus) -> Iterator[str]:
    if store.bytes and store.bytes_max and store.bytes >= CROWDED_FROM * store.bytes_max:
        yield f"{store.name} is {store.bytes / store.bytes_max:.0%} full"


def _of_consumer(consumer: ConsumerStatus) -> Iterator[str]:
    if consumer.is_a_services and (consumer.oldest_s or 0) > LATE_AFTER_S:
        yield (
            f"{consumer.name} is {consumer.behind:,} messages and {consumer.oldest_s:.0f} s "
            f"behind {consumer.stream}"
        )


def _of_outbox(outbox: OutboxStatus) -> Iterator[str]:
    if (outbox.oldest_s or 0) > LATE_AFTER_S:
        yield f"{outbox.events:,} events wait in the outbox, for up to {outbox.oldest_s:.0f} s"
    if outbox.parked:
        yield f"{outbox.parked:,} parked events"
