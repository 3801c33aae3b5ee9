"""One stream as a relay sees it: whether it has what it acknowledged, and takes more."""

import asyncio
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from comanda_contracts.streams import ACCESS
from nats.aio.client import Client
from nats.js.api import PubAck
from prometheus_client import Counter
from service_kit.runtime.settings import TOKEN_LIFE_MAX_S
from sqlalchemy.ext.asyncio import AsyncConnection

from ordering.outbound.outbox.kept_events import (
    AFTER_ALL,
    DELETED_EVENTS_MAX,
    Position,
    delete_expired,
    select_kept,
    unmark_lost,
)
from ordering.outbound.relay.lost_withdrawals import publish_lost_withdrawals
from ordering.outbound.relay.stored_messages import message_ids

log = structlog.get_logger()

COMPARED_EVENTS = 100
"""Events of a partition that are compared at a time."""
NOTICED_WITHIN = timedelta(seconds=10)
"""The time within which a relay notices that its stream is not what it was.

Until then it may publish: so what is lost may lie between events that are not.
"""
DELETIONS_MAX = 20
"""Statements by which kept events are deleted in a row: other events wait meanwhile."""
PAUSE_MIN_S, PAUSE_MAX_S = 0.2, 5.0
"""Pauses before a stream that fails is used again: growing, and bounded."""

PUBLISH_LOST_STATES = {ACCESS.name: publish_lost_withdrawals}
"""Of each stream that keeps the newest of each subject alone: it is to have what a table has."""

LOST = Counter(
    "comanda_ordering_lost_events_total",
    "Events that a stream acknowledged and has not any more; they are published again",
    ["stream"],
)


@dataclass(slots=True)
class RelayedStream:
    """A stream, and what a relay found out about it in this session."""

    name: str
    newest_only: bool = False
    """Whether it keeps the newest message of each subject alone."""
    token_life_max_s: float = TOKEN_LIFE_MAX_S
    """Withdrawals of longer ago keep nobody out."""
    compared: set[int] = field(default_factory=set)
    """Partitions whose kept events were compared with what the stream has."""
    newest: tuple[int, str] | None = None
    """Sequence and id of the newest message that is known to be there."""
    statement: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held for each statement: others use the connection, too, and it runs one at a time."""
    failure: str | None = None
    """Why nothing can be published to it now; None if it can."""
    _is_compared: bool = False
    _resume_at: float = 0.0
    _pause_s: float = PAUSE_MIN_S

    @property
    def is_paused(self) -> bool:
        """Whether it failed a short while ago."""
        return self.failure is not None and time.monotonic() < self._resume_at

    def takes_events_of(self, partitions: Collection[int]) -> bool:
        """Whether it does not fail, and has these partitions' events that it acknowledged."""
        return not self.is_paused and self._is_compared and self.compared.issuperset(partitions)

    def pause(self, failure: str) -> None:
        """Leave it alone for a while, a longer one each time until it works, and then compare."""
        self.failure = failure
        self._is_compared = False
        self._resume_at = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)

    def resume(self) -> None:
        """It works."""
        self.failure = None
        self._pause_s = PAUSE_MIN_S

    def note(self, stored: Iterable[tuple[str, PubAck]]) -> None:
        """Remember the newest of these messages, by their ids.

        A duplicate is none: its first copy may have been deleted on purpose.
        """
        self._note_newest((ack.seq, message_id) for message_id, ack in stored if not ack.duplicate)

    # decision/0040: what a stream has is known by ids, not by a number
    async def compare(
        self, connection: AsyncConnection, client: Client, partitions: Collection[int]
    ) -> None:
        """Have those kept events of these partitions published again that the stream has not.

        Of a stream of states also those states that it has not, however long ago it lost them.
        Once that is done it takes a look at one message, the newest, for as long as that is there.
        Raises LeaderSilent, or the error that its leader answers with; nothing is forgotten then.
        """
        self.compared &= set(partitions)
        self._is_compared = False
        if self.newest is not None:
            sequence, message_id = self.newest
            if await message_ids(client, self.name, [sequence]) != [message_id]:
                self.compared.clear()
                self.newest = None
        unknown = set(partitions) - self.compared
        for partition in sorted(unknown):
            self._say_lost(await self._unmark_lost(connection, client, partition))
        if self.newest_only and unknown:
            publish_lost = PUBLISH_LOST_STATES[self.name]
            found = await publish_lost(
                connection, self.statement, client, unknown, self.token_life_max_s
            )
            self._note_newest(found.stored)
            self._say_lost(found.published_again)
            unknown -= found.undecided
        self.compared |= unknown
        self._is_compared = True

    def _say_lost(self, lost: int) -> None:
        if lost:
            LOST.labels(self.name).inc(lost)
            log.warning("the stream has lost events", stream=self.name, lost=lost)

    async def forget(self, connection: AsyncConnection) -> None:
        """Delete events that were kept for long enough. Call it only right after `compare`."""
        for _ in range(DELETIONS_MAX):
            async with self.statement:
                deleted = await delete_expired(connection, self.name, self.compared)
            if deleted < DELETED_EVENTS_MAX:
                return

    def _note_newest(self, messages: Iterable[tuple[int, str]]) -> None:
        known = [self.newest] if self.newest else []
        self.newest = max([*known, *messages], default=None)

    async def _unmark_lost(
        self, connection: AsyncConnection, client: Client, partition: int
    ) -> int:
        """Go back in time until all that the stream acknowledged is there; returns what is not.

        A stream loses its tail: what it had stored for a while when it lost that is still there.
        That goes for each partition by itself, since another relay may have gone on with others.
        Where the newest of a subject takes the place of the others, these are not lost, and must
        not come back: they would take its place.
        """
        lost, position, begin = 0, AFTER_ALL, None
        newer: set[str] = set()
        """Subjects of which a newer event was seen."""
        while True:
            async with self.statement:
                kept = await select_kept(
                    connection, self.name, [partition], position, COMPARED_EVENTS
                )
            ids = await message_ids(client, self.name, [row.sequence for row in kept])
            is_there = [row.message_id == found for row, found in zip(kept, ids, strict=True)]
            missing = []
            for row, there in zip(kept, is_there, strict=True):
                if not (there or (self.newest_only and row.subject in newer)):
                    missing.append(Position(row.published_at, row.id))
                newer.add(row.subject)
            self._note_newest(
                (row.sequence, row.message_id)
                for row, there in zip(kept, is_there, strict=True)
                if there
            )
            if missing:
                async with self.statement:
                    lost += await unmark_lost(connection, missing)
            if len(kept) < COMPARED_EVENTS:
                return lost
            position = Position(kept[-1].published_at, kept[-1].id)
            begin = begin or kept[0].published_at
            if not missing and begin - position.published_at > NOTICED_WITHIN:
                return lost
