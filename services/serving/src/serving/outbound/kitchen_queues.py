"""The queues of all kitchens: kept in memory by following TICKETS."""

import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from comanda_contracts import Ticket, TicketStatus
from comanda_contracts.streams import TICKETS
from nats.aio.client import Client
from nats.js import JetStreamContext
from prometheus_client import Gauge
from service_kit.http.live_feed import READER_LAG_MAX_CHANGES, FeedsClosed, Reader
from service_kit.nats.jetstream import jetstream
from service_kit.nats.stream_follower import follow_stream, leader_says, read_stream
from service_kit.runtime.components import Ready

from serving.application.tickets import StoreUnavailable
from serving.outbound.bookmarks import (
    Bookmark,
    UnusableBookmark,
    load_bookmark,
    load_open_tickets,
)
from serving.outbound.hot_window import PUBLISHED_AGAIN_AT_SHARE, publish_again
from serving.outbound.open_tickets import OpenTickets, TicketKey, is_open
from serving.outbound.ticket_changes import TicketChanges, TicketMessage
from serving.queue_updates import QueueSnapshot, QueueUpdate, TicketChange

log = structlog.get_logger()

MADE_ANEW = (
    f"{TICKETS.name} was made anew, without tickets that were open: bring them back into it, or "
    "start serving again to go on without them"
)

LOST = Gauge("comanda_serving_tickets_lost", "Open tickets that were not in the stream made anew")
LENGTH = Gauge("comanda_serving_tickets", "Tickets in the queues, by status", ["status"])
OLDEST = Gauge(
    "comanda_serving_tickets_oldest_seconds",
    "Seconds since the oldest ticket in the queues was ordered, by status; 0 if none has it, NaN "
    "while that is not known",
    ["status"],
)


class KitchenQueues:
    """Each restaurant's queue, as of the last message that came.

    `client` returns the connection that they are followed over, or raises StoreUnavailable.
    """

    def __init__(self, client: Callable[[], Client]) -> None:
        self._client = client
        self._current: tuple[OpenTickets, TicketChanges] | None = None
        self._is_closed = False
        self._followed: tuple[datetime | None, OpenTickets] | None = None
        """When the stream was made that was shown last, and the tickets that were open in it."""

    def of(self, restaurant: str) -> list[Ticket]:
        """The restaurant's tickets that are not settled, oldest first.

        Raises StoreUnavailable until the stream has been read to its end, and while it can't be
        reached.
        """
        open_tickets, _ = self._up_to_date()
        return open_tickets.of(restaurant)

    @contextlib.contextmanager
    def feed(
        self, restaurant: str, after: int | None
    ) -> Iterator[AsyncIterator[QueueUpdate | None]]:
        """The updates of a restaurant's queue: a snapshot, then each change of a ticket.

        With a sequence as `after`, the feed begins with the changes after it instead, unless they
        are too many, or too old to be still known. None among the updates is a heartbeat.

        The feed ends when the queue is no longer up to date, when the reader falls behind, and when
        the service stops: a client that reconnects with the last sequence it received has missed
        nothing. Raises StoreUnavailable as `of` does, and FeedsClosed when the service stops.
        """
        if self._is_closed:
            raise FeedsClosed
        open_tickets, changes = self._up_to_date()
        first = _first_updates(open_tickets, changes, restaurant, after)
        with changes.reader(restaurant) as reader:
            updates = _updates(first, reader)
            del first  # the feed itself gives it up once it is taken
            yield updates

    def close(self) -> None:
        """End all feeds, and let none begin any more."""
        self._is_closed = True
        if self._current:
            self._current[1].end()

    def length(self, status: TicketStatus) -> float:
        """How many tickets have the status; not a number while that is not known."""
        return self._current[0].count(status) if self._current else math.nan

    def oldest_s(self, status: TicketStatus, now: datetime) -> float:
        """Seconds since the oldest ticket with the status was ordered, as `length` otherwise."""
        if self._current is None:
            return math.nan
        ordered_at = self._current[0].ordered_at(status)
        return max(0.0, (now - ordered_at).total_seconds()) if ordered_at else 0.0

    async def keep_up_to_date(self, client: Client, ready: Ready) -> None:
        """Follow the stream until cancelled.

        It is read from the bookmark on, and from a little before it for the sake of readers that
        reconnect; from the beginning if there is no bookmark that fits. The queues are shown once
        all of it has been read, never half of it. Raises MessagesMissed and LeaderSilent: call it
        again.

        A stream that was made anew is shown as it is; but while tickets are missing from it that
        were open before, this says so instead of being ready.
        """
        begun = time.monotonic()
        js = jetstream(client)
        stream = await leader_says(js, TICKETS)
        created = stream.created
        lost = self._open_before(created)
        open_tickets = OpenTickets() if lost else await _load(js)
        after = max(0, open_tickets.sequence - READER_LAG_MAX_CHANGES)
        changes = TicketChanges(_known_after(after, stream.state.first_seq))
        try:
            async with contextlib.aclosing(
                follow_stream(client, TICKETS, TicketMessage, after=after)
            ) as messages:
                async for message in messages:
                    if message is not None:
                        _apply(open_tickets, changes, message)
                        if lost:
                            lost.discard(message.ticket)
                        continue
                    if self._current is None:
                        self._current = open_tickets, changes
                        log.info(
                            "caught up",
                            read=open_tickets.sequence - after,
                            seconds=round(time.monotonic() - begun, 3),
                        )
                    LOST.set(len(lost))
                    if not lost:
                        self._followed = created, open_tickets
                    ready(failing=MADE_ANEW if lost else None)
        finally:
            self._current = None
            changes.end()

    def _open_before(self, created: datetime | None) -> set[tuple[str, TicketKey] | None]:
        """The tickets that were open in the stream before this one; none if it is the same."""
        if self._followed is None or self._followed[0] == created:
            return set()
        return set(self._followed[1].keys())

    def bookmark(self) -> Bookmark | None:
        """A bookmark of the queues as they are; None while they are not up to date."""
        return self._current[0].bookmark() if self._current else None

    def open_sequences(self) -> list[int]:
        """The sequence of each open ticket's last message; none while that is not known."""
        return self._current[0].sequences() if self._current else []

    def _up_to_date(self) -> tuple[OpenTickets, TicketChanges]:
        self._client()
        if self._current is None:
            raise StoreUnavailable("the queue has not caught up with the stream")
        return self._current


def export_lengths(queues: KitchenQueues, clock: Callable[[], datetime]) -> None:
    """Export the length of the queues, and the age of the oldest ticket, over all restaurants."""
    for status in filter(is_open, TicketStatus):
        LENGTH.labels(status.value).set_function(partial(queues.length, status))
        OLDEST.labels(status.value).set_function(partial(_oldest_s, queues, status, clock))


def _oldest_s(queues: KitchenQueues, status: TicketStatus, clock: Callable[[], datetime]) -> float:
    return queues.oldest_s(status, clock())


async def keep_open_tickets(client: Client, window_s: float) -> None:
    """Publish again what is open and would leave the stream, if that keeps so many seconds only."""
    open_tickets = await _load(jetstream(client))
    whole = read_stream(client, TICKETS, TicketMessage, after=open_tickets.sequence)
    async with contextlib.aclosing(whole) as messages:
        async for each in messages:
            open_tickets.apply(each.sequence, each.subject, each.headers, each.body)
    half_s = window_s * PUBLISHED_AGAIN_AT_SHARE
    stored_before = datetime.now(UTC) - timedelta(seconds=half_s)
    await publish_again(jetstream(client), open_tickets.sequences(), stored_before=stored_before)


async def _load(js: JetStreamContext) -> OpenTickets:
    """The open tickets at the bookmark; none, at sequence 0, if no bookmark fits the stream."""
    open_tickets = OpenTickets()
    try:
        bookmark = await load_bookmark(js)
        for each in await load_open_tickets(js, bookmark):
            open_tickets.apply(each.seq or 0, each.subject or "", each.headers, each.data or b"")
        open_tickets.continue_after(bookmark)
    except UnusableBookmark as reason:
        log.info("no bookmark: all is read again", reason=str(reason))
        return OpenTickets()
    return open_tickets


def _known_after(after: int, first_sequence: int) -> int:
    """The sequence after which all changes are read, reading after `after`.

    What came before the stream's first message is not: it has left it, or was another stream's.
    """
    return max(after, first_sequence) if first_sequence > 1 else after


def _apply(open_tickets: OpenTickets, changes: TicketChanges, message: TicketMessage) -> None:
    open_tickets.apply(message.sequence, message.subject, message.headers, message.body)
    changes.append(message)


def _first_updates(
    open_tickets: OpenTickets, changes: TicketChanges, restaurant: str, after: int | None
) -> list[QueueUpdate]:
    missed = None if after is None else changes.since(restaurant, after)
    if missed is not None:
        return [*missed]
    return [QueueSnapshot(open_tickets.sequence, open_tickets.of(restaurant))]


async def _updates(
    first: list[QueueUpdate], reader: Reader[TicketChange]
) -> AsyncIterator[QueueUpdate | None]:
    """The updates, `first` of all those that it takes out of there; it keeps none."""
    while first:
        yield first.pop(0)
    async for change in reader.updates():
        yield change
        del change
