"""Compares the live generation with all that is on the streams, document by document."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from query.maintenance.ack_floor import AckFloorWaiter
from query.maintenance.document_kinds import (
    DOCUMENT_KINDS,
    DocumentKind,
    is_sound,
    published_fingerprints,
    stored_fingerprints,
)
from query.maintenance.evidence import doubts, require_consent
from query.maintenance.fingerprints import Fingerprints
from query.maintenance.inspection import DESTRUCTIVE_DEFECTS, Difference, inspect
from query.maintenance.published import PublishedFingerprints
from query.maintenance.repair import repair
from query.maintenance.session import AUDITOR, OperatorSession
from query.maintenance.stream_reader import batches, last_sequence, readable
from query.storage.client import COMMAND_READ_TIMEOUT_S, in_order_of_keys
from query.storage.generations import Generation

CONCURRENT_INSPECTIONS = 8
NO_MORE: tuple[str | None, Fingerprints] = (None, {})
"""Stands for the document after the last."""


@dataclass(slots=True)
class AuditProgress:
    """How much an audit has read and found so far."""

    events: int = 0
    documents: int = 0
    differences: int = 0
    repaired: int = 0


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
    and a digest are kept, in a temporary file beyond some memory. Then the documents are gone
    through, and one that does not agree is inspected once the projectors have stored what they have
    received, or have stood still for `stall_timeout_s`.
    """
    generation, floors = session.generations.live, AckFloorWaiter(session, stall_timeout_s)
    for kind in DOCUMENT_KINDS:
        with PublishedFingerprints() as published:
            await _read_streams(session, kind, published, progress, on_progress)
            suspects = _some_together(_suspects(generation, kind, published, progress, on_progress))
            async with contextlib.aclosing(suspects):
                async for keys in suspects:
                    inspections = (inspect(session, floors, generation, kind, key) for key in keys)
                    for difference in await asyncio.gather(*inspections):
                        if difference:
                            progress.differences += 1
                            yield difference


async def audit_and_repair(
    session: OperatorSession,
    progress: AuditProgress,
    on_progress: OnProgress,
    *,
    stall_timeout_s: float,
    yes_really: int,
) -> AsyncGenerator[tuple[Difference, bool], None]:
    """Repair each difference as it is found, and give it with whether it is repaired.

    If the streams are not known to be whole, what is on no stream, or other than they say, is given
    unrepaired; in the end, if these are no more than `yes_really`, each is repaired and given
    again, else ConsentRequired is raised.
    """
    reasons, held_back = await doubts(session), list[Difference]()
    found = audit(session, progress, on_progress, stall_timeout_s=stall_timeout_s)
    async with contextlib.aclosing(found):
        async for difference in found:
            if reasons and difference.defect in DESTRUCTIVE_DEFECTS:
                held_back.append(difference)
                yield difference, False
            else:
                yield difference, await _is_repaired(session, difference, progress)
    require_consent(reasons, len(held_back), yes_really, "deleted or replaced")
    for difference in held_back:
        yield difference, await _is_repaired(session, difference, progress)


async def _is_repaired(
    session: OperatorSession, difference: Difference, progress: AuditProgress
) -> bool:
    live = session.generations.live
    is_repaired = await repair(session, live, difference.kind, difference.key)
    progress.repaired += is_repaired
    return is_repaired


async def _read_streams(
    session: OperatorSession,
    kind: DocumentKind,
    published: PublishedFingerprints,
    progress: AuditProgress,
    on_progress: OnProgress,
) -> None:
    """Take the fingerprints of each document, as they follow from the streams."""
    for stream in kind.streams:
        end = await last_sequence(session.js, stream)
        async with contextlib.aclosing(batches(session.js, stream, AUDITOR, until=end)) as found:
            async for messages in found:
                events = (each.event for each in readable(messages))
                published.keep_newest(
                    (kind.key(event), published_fingerprints(kind, event))
                    for event in events
                    if isinstance(event, kind.events)
                )
                progress.events += len(messages)
                on_progress(progress)


async def _suspects(
    generation: Generation,
    kind: DocumentKind,
    published: PublishedFingerprints,
    progress: AuditProgress,
    on_progress: OnProgress,
) -> AsyncGenerator[str, None]:
    """The keys of documents that seem to differ.

    What is stored and what is published are gone through side by side, in the order of keys.
    """
    expected = published.by_key()
    key, wanted = next(expected, NO_MORE)
    collection = kind.collection(generation)
    async for stored in in_order_of_keys(collection, timeout_s=COMMAND_READ_TIMEOUT_S):
        progress.documents += 1
        on_progress(progress)
        stored_key = stored["_id"]
        if isinstance(stored_key, str):  # others come before or after all texts
            while key is not None and key < stored_key:
                yield key
                key, wanted = next(expected, NO_MORE)
        parts: Fingerprints | None = None
        if key == stored_key:
            parts = wanted
            key, wanted = next(expected, NO_MORE)
        if parts != stored_fingerprints(kind, stored) or not is_sound(kind, stored):
            yield stored_key
    while key is not None:
        yield key
        key, _ = next(expected, NO_MORE)


async def _some_together(keys: AsyncGenerator[str, None]) -> AsyncGenerator[list[str], None]:
    """As many keys together as are inspected at once."""
    some: list[str] = []
    async with contextlib.aclosing(keys):
        async for key in keys:
            some.append(key)
            if len(some) == CONCURRENT_INSPECTIONS:
                yield some
                some = []
    if some:
        yield some
