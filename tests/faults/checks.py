"""What became of a load: every acknowledged command must be there once, in every store."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import nats
from comanda_contracts import Event, Order, OrderEvent, TicketEvent, read, subjects
from comanda_contracts.streams import ORDERS, TICKETS, Stream
from comanda_local.api import connected
from comanda_local.audit import audit, write_side
from comanda_local.stack import Stack
from comanda_local.system_urls import SystemUrls
from nats.aio.msg import Msg
from nats.js import api

from tests.faults.load import Load

QUIET_WITHIN = 120.0
"""Seconds after the load in which everything must have arrived everywhere."""
PATIENCE = 60.0
"""Seconds within which what is on a stream is sent."""
BATCH = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the checks found; all but the first three must be empty."""

    acknowledged: int
    commands: int
    published_twice: int
    """Copies on the streams, with the same `ce-id`, that a subscriber drops."""
    lost: list[str]
    doubled: list[str]
    gaps: list[str]
    """Orders and tickets whose versions on their stream are not 1, 2, 3, …"""
    differences: list[str]
    """What the audit found: it compares every order that is in SQL with what is shown of it."""

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} orders acknowledged ({self.commands} commands), "
            f"{len(self.lost)} lost, {len(self.doubled)} doubled, {len(self.gaps)} with gaps, "
            f"{len(self.differences)} differences; {self.published_twice} copies dropped by ce-id"
        )

    @property
    def complaints(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.gaps, *self.differences]


async def outcome_of(load: Load, stack: Stack) -> Outcome:
    """Wait until all is quiet, then look into every store."""
    system = SystemUrls.of(stack)
    told = [order for answers in load.answers.values() for order in answers]
    order_ids = {order.order_id for order in told}
    async with (
        connected(system.addresses, system.auth()) as services,
        write_side(system) as writing,
    ):
        found = await audit(load.restaurant, writing, services, patience=QUIET_WITHIN)
    stored = await _stored_guests(system, load.restaurant)
    order_copies = await _everything_on(system, ORDERS, subjects.order(load.restaurant, "*", "*"))
    ticket_copies = await _everything_on(
        system, TICKETS, subjects.ticket(load.restaurant, "*", "*", "*")
    )
    orders = [each for each in _once(order_copies) if isinstance(each, OrderEvent)]
    tickets = [each for each in _once(ticket_copies) if isinstance(each, TicketEvent)]
    published = [each.order for each in orders]
    copies = len(order_copies) + len(ticket_copies)
    return Outcome(
        acknowledged=len(load.answers),
        commands=len(told),
        published_twice=copies - len(orders) - len(tickets),
        lost=[
            *(f"{each} is not in SQL" for each in order_ids - stored.keys()),
            *_untold(told, published),
        ],
        doubled=[
            *_more_than_once("in SQL", stored.values()),
            *_more_than_once("placed", (_guest(each) for each in published if each.version == 1)),
        ],
        gaps=[*_gaps(orders), *_gaps(tickets)],
        differences=[str(each) for each in found.differences],
    )


def _untold(told: Sequence[Order], published: Sequence[Order]) -> list[str]:
    """Acknowledged states that were not published just so."""
    by_version = {(each.order_id, each.version): each for each in published}
    return [
        f"{each.order_id} was acknowledged in version {each.version}, but not published so"
        for each in told
        if by_version.get((each.order_id, each.version)) != each
    ]


def _more_than_once(what: str, guests: Iterable[str]) -> list[str]:
    return [
        f"{guest} is {what} {count} times" for guest, count in Counter(guests).items() if count > 1
    ]


def _gaps(events: Iterable[Event]) -> list[str]:
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for event in events:
        versions[event.key].append(event.state.version)
    return [
        f"{key} has the versions {seen}"
        for key, seen in versions.items()
        if seen != list(range(1, len(seen) + 1))
    ]


def _once(messages: Iterable[Msg]) -> list[Event]:
    """What a subscriber that dedups by `ce-id` hears."""
    first = {(message.headers or {})["ce-id"]: message for message in reversed(list(messages))}
    return [read(message.headers, message.data) for message in reversed(first.values())]


async def _everything_on(system: SystemUrls, stream: Stream, subject: str) -> list[Msg]:
    """What is on the stream under the subject, copies included, in the stream's order."""
    config = api.ConsumerConfig(ack_policy=api.AckPolicy.NONE, mem_storage=True)
    found: list[Msg] = []
    async with await nats.connect(system.nats) as client:
        js = client.jetstream()
        subscription = await js.pull_subscribe(subject, stream=stream.name, config=config)
        count = (await subscription.consumer_info()).num_pending or 0
        while len(found) < count:
            found += await subscription.fetch(min(BATCH, count - len(found)), timeout=PATIENCE)
    return found


async def _stored_guests(system: SystemUrls, restaurant: str) -> dict[UUID, str]:
    """Whose order each order in the database is."""
    database = await asyncpg.connect(system.database.replace("+asyncpg", "", 1))
    try:
        rows = await database.fetch(
            'SELECT id, coalesce(customer, "table") AS guest FROM orders WHERE restaurant = $1',
            restaurant,
        )
        return {row["id"]: row["guest"] for row in rows}
    finally:
        await database.close()


def _guest(order: Order) -> str:
    return order.customer or order.table or ""
