"""Compares the live generation with all that is on the streams, document by document."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from query.maintenance.ack_floor import AckFloorWaiter
from query.maintenance.document_kinds import (
    DOCUMENT_KINDS,
    DocumentKind,
    is_sound,
    published_fingerprints,
    stored_fingerprints,
)
from query.maintenance.fingerprints import Fingerprints, keep_newest
from query.maintenance.inspection import Difference, inspect
from query.maintenance.session import AUDITOR, OperatorSession
from query.maintenance.stream_reader import batches, last_sequence, readable
from query.storage.client import COMMAND_READ_TIMEOUT_S, iterate
from query.storage.generations import Generation

CONCURRENT_INSPECTIONS = 8


@dataclass(slots=True)
class AuditProgress:
    """How much an audit has read and found so far."""

    events: int = 0
    documents: int = 0
    differences: int = 0


OnProgress = Callable[[AuditProgress], None]


async def audit(
    session: OperatorSession,
    progress: AuditProgress,
    on_progress: OnProgress,
    *,
    stall_timeout_s: float,
) -> AsyncGenerator[Difference, None]:
    """Give each difference as it is found.

    First everything on the streams is read, and of each part of each document its newest version
    and a digest are kept. Then the documents are gone through, and one that does not agree is
    inspected once the projectors have stored what they have received, or have stood still for
    `stall_timeout_s`.
    """
    generation, floors = session.generations.live, AckFloorWaiter(session, stall_timeout_s)
    for kind in DOCUMENT_KINDS:
        published = await _published(session, kind, progress, on_progress)
        suspects = _suspects(generation, kind, published, progress, on_progress)
        async with contextlib.aclosing(suspects):
            async for keys in suspects:
                inspections = (inspect(session, floors, generation, kind, key) for key in keys)
                for difference in await asyncio.gather(*inspections):
                    if difference:
                        progress.differences += 1
                        yield difference


async def _published(
    session: OperatorSession, kind: DocumentKind, progress: AuditProgress, on_progress: OnProgress
) -> dict[str, Fingerprints]:
    """The fingerprints of each document by its key, as they follow from the streams."""
    published: dict[str, Fingerprints] = {}
    for stream in kind.streams:
        end = await last_sequence(session.js, stream)
        async with contextlib.aclosing(batches(session.js, stream, AUDITOR, until=end)) as found:
            async for messages in found:
                for received in readable(messages):
                    if isinstance(received.event, kind.events):
                        known = published.setdefault(kind.key(received.event), {})
                        keep_newest(known, published_fingerprints(kind, received.event))
                progress.events += len(messages)
                on_progress(progress)
    return published


async def _suspects(
    generation: Generation,
    kind: DocumentKind,
    published: dict[str, Fingerprints],
    progress: AuditProgress,
    on_progress: OnProgress,
) -> AsyncGenerator[list[str], None]:
    """The keys of documents that seem to differ, some at a time.

    Each document that is stored is taken out of `published`, so that the missing ones are left.
    """
    keys = []
    found = kind.collection(generation).find()
    async for stored in iterate(found, timeout_s=COMMAND_READ_TIMEOUT_S):
        progress.documents += 1
        on_progress(progress)
        wanted = published.pop(stored["_id"], None)
        if wanted != stored_fingerprints(kind, stored) or not is_sound(kind, stored):
            keys.append(stored["_id"])
        if len(keys) == CONCURRENT_INSPECTIONS:
            yield keys
            keys = []
    for some in _chunks([*keys, *published]):
        yield some


def _chunks(keys: Iterable[str]) -> Iterator[list[str]]:
    left = iter(keys)
    while some := list(islice(left, CONCURRENT_INSPECTIONS)):
        yield some
