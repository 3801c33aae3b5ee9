"""Looks at one document closely, and mends it, by all that the streams say of it."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from comanda_contracts import Event
from comanda_contracts.streams import Stream
from nats.js.errors import NotFoundError
from pymongo.errors import DuplicateKeyError

from query.maintenance.document_kinds import MALFORMED, ORDER_DOCUMENTS, Kind
from query.maintenance.fingerprints import behind, unlike, view_in
from query.maintenance.session import Site
from query.projection.projector import SERVICE
from query.projection.stream_reader import everything, persistently
from query.storage.client import COMMAND_READ_TIMEOUT_S, store_call
from query.storage.generations import Generation
from query.storage.sales.store import mark_for_roll_up
from query.views.merge import Document

LOOKS = 20
"""How often a document is looked at that changes all the time."""
POLL = 0.2
"""Seconds between two looks at what has arrived."""


class What(StrEnum):
    """How a document differs from what the streams say."""

    MISSING = "missing"
    STALE = "stale"
    INCOMPLETE = "incomplete"
    """Nothing but entries of the timeline are missing."""
    ALTERED = "altered"
    ORPHAN = "orphan"
    """There is nothing about it on the streams."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that is not what the streams say."""

    kind: Kind
    key: str
    what: What
    fields: list[tuple[str, Any, Any]]
    """Path, what follows from the streams, and what is stored."""


@dataclass(slots=True)
class Arrivals:
    """Waits until the projectors have stored what was on a stream.

    All at and below the floor of their acknowledgements is stored. It gives up when the floor has
    not risen for `patience` seconds, and does not wait again before it rises. If there never was a
    projector it does not wait at all.
    """

    site: Site
    patience: float
    _floors: dict[str, tuple[int, float]] = field(default_factory=dict)

    async def of(self, stream: Stream, sequence: int) -> bool:
        """Whether the message and all before it have arrived."""
        while (floor := await acknowledged(self.site, stream)) is None or floor < sequence:
            if floor is None:
                return False
            known, since = self._floors.get(stream.name, (-1, 0.0))
            if floor != known:
                self._floors[stream.name] = floor, time.monotonic()
            elif time.monotonic() - since > self.patience:
                return False
            await asyncio.sleep(POLL)
        return True


async def acknowledged(site: Site, stream: Stream) -> int | None:
    """A message such that it and all before it are stored; None if there is no projector."""
    try:
        consumer = await persistently(lambda: site.js.consumer_info(stream.name, SERVICE))
    except NotFoundError:
        return None
    return consumer.ack_floor.stream_seq if consumer.ack_floor else 0


async def look(
    site: Site, arrivals: Arrivals, generation: Generation, kind: Kind, key: str
) -> Difference | None:
    """How one document differs from what the streams say, when nothing about it is on its way.

    None if it does not.
    """
    collection = kind.collection(generation)
    events, ends = await _about(site, kind, key)
    for _ in range(LOOKS):
        for stream, end in ends.items():
            await arrivals.of(stream, end)
        async with store_call(COMMAND_READ_TIMEOUT_S):
            stored = await collection.find_one({"_id": key})
        written = kind.follows(events)
        if stored == written:
            return None
        before = ends
        events, ends = await _about(site, kind, key)
        if ends == before:
            return _difference(kind, key, written, stored)
    return None  # it is written all the time, and was never found to differ twice


async def mend(site: Site, generation: Generation, kind: Kind, key: str) -> bool:
    """Make one document what the streams say. Whether that could be done.

    The document is replaced if it is still as it was read before the streams were, and so holds
    nothing that is not on them; else it is looked at again. A merge that comes after finds the
    whole, and adds to it. So nothing that a projector stores meanwhile is lost.
    """
    collection = kind.collection(generation)
    for _ in range(LOOKS):
        async with store_call(COMMAND_READ_TIMEOUT_S):
            stored = await collection.find_one({"_id": key})
        events, _ends = await _about(site, kind, key)
        written = kind.follows(events)
        if stored == written or await _replaced(site, generation, kind, stored, written):
            return True
    return False


async def _replaced(
    site: Site, generation: Generation, kind: Kind, stored: Document | None, by: Document | None
) -> bool:
    """Whether the document was still what it was; its sales are then summed up anew."""
    collection = kind.collection(generation)
    async with store_call(COMMAND_READ_TIMEOUT_S):
        if stored is None and by is not None:
            try:
                await collection.insert_one(by)
            except DuplicateKeyError:
                return False
        elif stored is not None:
            as_it_was = {name: {"$eq": value} for name, value in stored.items()}
            if by is None:
                if not (await collection.delete_one(as_it_was)).deleted_count:
                    return False
            elif not (await collection.replace_one(as_it_was, by)).matched_count:
                return False
    if kind is ORDER_DOCUMENTS:
        await _sum_up_anew(site, stored, by)
    return True


async def _sum_up_anew(site: Site, *documents: Document | None) -> None:
    """The hours that the order was, and is, counted in."""
    for document in documents:
        with contextlib.suppress(*MALFORMED):  # it was nothing like an order
            if document:
                for generation in await site.generations.written():
                    await mark_for_roll_up(generation, [view_in(document)])


async def _about(site: Site, kind: Kind, key: str) -> tuple[list[Event], dict[Stream, int]]:
    """All that the streams say of one document, and the last message of each that does."""
    events: list[Event] = []
    ends: dict[Stream, int] = {}
    try:
        places = kind.subjects(key)
    except MALFORMED:  # no event could be about it
        return events, ends
    for stream, subject in places:
        found, ends[stream] = await everything(site.js, stream, subject)
        events += found
    return events, ends


def _difference(
    kind: Kind, key: str, written: Document | None, stored: Document | None
) -> Difference:
    if stored is None or written is None:
        what = What.ORPHAN if written is None else What.MISSING
        return Difference(kind, key, what, [])
    return Difference(kind, key, _what(kind, written, stored), unlike(written, stored))


def _what(kind: Kind, written: Document, stored: Document) -> What:
    parts, there = kind.stored(written), kind.stored(stored)
    if not there or not behind(there, parts):
        return What.ALTERED
    missing = {name for name in parts if parts[name][0] > there.get(name, (-1, 0))[0]}
    only_entries = all(name.startswith("timeline.") for name in missing)
    return What.INCOMPLETE if only_entries else What.STALE
