"""Inspects one document: all that the streams say of it against what is stored."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from comanda_contracts import Event, subjects
from comanda_contracts.streams import Stream

from query.maintenance.ack_floor import AckFloorWaiter
from query.maintenance.document_kinds import (
    DocumentKind,
    expected_document,
    stored_fingerprints,
)
from query.maintenance.fingerprints import differing_fields, is_behind
from query.maintenance.session import OperatorSession
from query.maintenance.stream_reader import archived_events, events_on_subject
from query.storage.client import COMMAND_READ_TIMEOUT_S, store_call
from query.storage.generations import Generation
from query.views.merge import MALFORMED, Document

UUID_WITH_TIME = 7
CLOCKS_DIFFER_BY_MAX = timedelta(hours=1)
INSPECTION_ATTEMPTS = 20
"""For a document that changes all the time."""


class Defect(StrEnum):
    """How a document differs from what the streams say."""

    MISSING = "missing"
    STALE = "stale"
    INCOMPLETE = "incomplete"
    """Nothing but entries of the timeline are missing."""
    ALTERED = "altered"
    ORPHAN = "orphan"
    """There is nothing about it on the streams."""


DESTRUCTIVE_DEFECTS = frozenset({Defect.ORPHAN, Defect.ALTERED})
"""Those whose repair takes something away that is stored; the others' adds what is missing."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that is not what the streams say."""

    kind: DocumentKind
    key: str
    defect: Defect
    fields: list[tuple[str, Any, Any]]
    """Path, what follows from the streams, and what is stored."""


async def inspect(
    session: OperatorSession,
    floors: AckFloorWaiter,
    generation: Generation,
    kind: DocumentKind,
    key: str,
) -> Difference | None:
    """How a document differs from what the streams say, once nothing about it is on its way.

    None if it does not, or if it is written all the time and was never found to differ twice.
    """
    collection = kind.collection(generation)
    async with store_call(COMMAND_READ_TIMEOUT_S):
        restaurant = restaurant_of(await collection.find_one({"_id": key}, {"restaurant": 1}))
    known, ends = await events_about(session, kind, key)
    known += await past_events_about(session, kind, key, restaurant)
    for _ in range(INSPECTION_ATTEMPTS):
        for stream, end in ends.items():
            await floors.wait_for(stream, end)
        async with store_call(COMMAND_READ_TIMEOUT_S):
            stored = await collection.find_one({"_id": key})
        expected = expected_document(kind, known)
        if stored == expected:
            return None
        before = ends
        events, ends = await events_about(session, kind, key)
        known += events  # what has left the stream meanwhile is known already
        if ends == before:
            return _difference(kind, key, expected, stored)
    return None


async def events_about(
    session: OperatorSession, kind: DocumentKind, key: str
) -> tuple[list[Event], dict[Stream, int]]:
    """All that the streams say of one document, and the last message of each that does."""
    events: list[Event] = []
    ends: dict[Stream, int] = {}
    try:
        own_subjects = kind.subjects(key)
    except MALFORMED:  # no event could be about it
        return events, ends
    for stream, subject in own_subjects:
        found, ends[stream] = await events_on_subject(session.js, stream, subject)
        events += found
    return events, ends


async def past_events_about(
    session: OperatorSession, kind: DocumentKind, key: str, restaurant: str | None
) -> list[Event]:
    """What has left the streams of one document, from their archives: to be asked for last.

    They are looked through from the time that is in the key, in the restaurant if it is known.
    """
    events: list[Event] = []
    for stream, subject in kind.archived(restaurant):
        since = time_in(key)
        events += await archived_events(session.nats, stream, subject, key, since)
    return events


def restaurant_of(document: Document | None) -> str | None:
    """The restaurant that a document says it is of, if it does."""
    named = (document or {}).get("restaurant")
    return named if isinstance(named, str) and re.fullmatch(subjects.SLUG_PATTERN, named) else None


def time_in(key: str) -> datetime | None:
    """When an order of this id was placed at the earliest; None if the id does not tell."""
    try:
        order_id = UUID(key)
    except ValueError:
        return None
    if order_id.version != UUID_WITH_TIME:
        return None
    return datetime.fromtimestamp((order_id.int >> 80) / 1000, UTC) - CLOCKS_DIFFER_BY_MAX


def _difference(
    kind: DocumentKind, key: str, expected: Document | None, stored: Document | None
) -> Difference:
    if expected is None:
        return Difference(kind, key, Defect.ORPHAN, [])
    if stored is None:
        return Difference(kind, key, Defect.MISSING, [])
    defect = _defect(kind, expected, stored)
    return Difference(kind, key, defect, differing_fields(expected, stored))


def _defect(kind: DocumentKind, expected: Document, stored: Document) -> Defect:
    wanted, there = stored_fingerprints(kind, expected), stored_fingerprints(kind, stored)
    if not there or not is_behind(there, wanted):
        return Defect.ALTERED
    missing = {name for name in wanted if wanted[name][0] > there.get(name, (-1, 0))[0]}
    only_entries = all(name.startswith("timeline.") for name in missing)
    return Defect.INCOMPLETE if only_entries else Defect.STALE
