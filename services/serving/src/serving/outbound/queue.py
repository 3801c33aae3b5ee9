"""The restaurants' queues: kept in memory by following TICKETS."""

import contextlib
import math
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial

import structlog
from comanda_contracts import Ticket, TicketStatus
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from prometheus_client import Gauge
from service_kit.http.live_feed import READER_LAG_MAX_CHANGES, Reader
from service_kit.nats.jetstream import jetstream
from service_kit.runtime.components import Ready

from serving.application.tickets import StoreUnavailable
from serving.outbound.bookmarks import Bookmark, Unusable, latest, open_tickets
from serving.outbound.changes import Arrival, Changes
from serving.outbound.following import every_message
from serving.outbound.kitchen import Kitchen
from serving.outbound.link import Link
from serving.published import Changed, News, Snapshot

log = structlog.get_logger()

LENGTH = Gauge("comanda_serving_tickets", "Tickets in the queues, by status", ["status"])


class Queue:
    """What each kitchen has to do, as of the last message that arrived."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._shown: tuple[Kitchen, Changes] | None = None
        self._is_closed = False

    def of(self, restaurant: str) -> list[Ticket]:
        """Tickets neither served nor voided, oldest first.

        Raises StoreUnavailable until the queue has caught up, and while the stream can't be
        reached.
        """
        kitchen, _ = self._caught_up()
        return kitchen.of(restaurant)

    @contextlib.contextmanager
    def live(self, restaurant: str, after: int | None) -> Iterator[AsyncIterator[News | None]]:
        """The queue as it is, then its changes; or what changed after the sequence `after`.

        None tells from time to time that there is nothing new. A reader who has missed more than
        is kept gets the queue as it is. The news end when the queue is no longer up to date, when
        the reader falls behind, and when the queue is closed: who comes back with the last
        sequence has missed nothing. Raises StoreUnavailable as `of` does.
        """
        kitchen, changes = self._caught_up()
        if self._is_closed:
            raise StoreUnavailable("the service is about to end")
        first: Sequence[News] | None = None
        if after is not None:
            first = changes.since(restaurant, after)
        if first is None:
            first = [Snapshot(kitchen.sequence, kitchen.of(restaurant))]
        with changes.reader(restaurant) as reader:
            yield _news(first, reader)

    def close(self) -> None:
        """End what is live, and begin nothing live any more."""
        self._is_closed = True
        if self._shown:
            self._shown[1].end()

    def length(self, status: TicketStatus) -> float:
        """How many tickets have the status; not a number while that is not known."""
        return self._shown[0].count(status) if self._shown else math.nan

    async def follow(self, client: Client, ready: Ready) -> None:
        """Keep the queue up to date until cancelled.

        It begins at the bookmark, and a little before it, for readers who come back; without one
        that fits the stream, at the beginning. It is built apart and shown when it has caught up,
        never halfway. Raises if the server falls silent or a message was missed: start it again.
        """
        begun = time.monotonic()
        kitchen = await _resumed(jetstream(client))
        changes = Changes(max(0, kitchen.sequence - READER_LAG_MAX_CHANGES))
        try:
            async with contextlib.aclosing(every_message(client, after=changes.begin)) as messages:
                async for message in messages:
                    if message is not None:
                        _apply(kitchen, changes, message)
                    elif self._shown is None:
                        self._shown = kitchen, changes
                        log.info(
                            "caught up",
                            read=kitchen.sequence - changes.begin,
                            seconds=round(time.monotonic() - begun, 3),
                        )
                        ready()
        finally:
            self._shown = None
            changes.end()

    def bookmark(self) -> Bookmark | None:
        """What is known, for other replicas to go on from; None until it has caught up."""
        return self._shown[0].bookmark() if self._shown else None

    def _caught_up(self) -> tuple[Kitchen, Changes]:
        if self._shown is None or not self._link.is_up:
            raise StoreUnavailable("the queue has not caught up with the stream")
        return self._shown


def measure(queue: Queue) -> None:
    """Let Prometheus see how long the queues are, over all restaurants."""
    for status in (TicketStatus.QUEUED, TicketStatus.PREPARING, TicketStatus.READY):
        LENGTH.labels(status.value).set_function(partial(queue.length, status))


async def _resumed(js: JetStreamContext) -> Kitchen:
    """A kitchen that is as far as the bookmark; a new one if there is none to go on from."""
    kitchen = Kitchen()
    try:
        bookmark = await latest(js)
        for each in await open_tickets(js, bookmark):
            kitchen.apply(each.seq or 0, each.subject or "", each.headers, each.data or b"")
        kitchen.go_on_from(bookmark)
    except Unusable as reason:
        log.info("no bookmark: all is read again", reason=str(reason))
        return Kitchen()
    return kitchen


def _apply(kitchen: Kitchen, changes: Changes, message: Msg) -> None:
    sequence = message.metadata.sequence.stream
    kitchen.apply(sequence, message.subject, message.headers, message.data)
    changes.note(Arrival(sequence, message.subject, message.headers, message.data))


async def _news(first: Sequence[News], reader: Reader[Changed]) -> AsyncIterator[News | None]:
    for news in first:
        yield news
    async for change in reader.updates():
        yield change
