"""Compares the candidate with the live generation, document by document."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from query.maintenance.document_kinds import DOCUMENT_KINDS, DocumentKind, stored_fingerprints
from query.maintenance.fingerprints import is_behind
from query.maintenance.repair import repair
from query.maintenance.session import OperatorSession
from query.storage.client import COMMAND_READ_TIMEOUT_S, Collection, iterate, store_call
from query.storage.generations import Generation, OneGeneration
from query.views.merge import Document

SAMPLES_MAX = 20
"""Documents of each deviation that are named."""


class Deviation(StrEnum):
    """How a document of the candidate differs from the live one's."""

    AHEAD = "more in the next"
    """The live one lacks something that is on the streams, or will have it in a moment."""
    REWRITTEN = "other content at the same versions"
    """The fold has changed, or the live one was altered."""
    BASELESS = "in the live one, but not on the streams"


@dataclass(slots=True)
class Comparison:
    """How many documents were compared, and which differ."""

    documents: int = 0
    deviations: Counter[Deviation] = field(default_factory=Counter)
    samples: list[tuple[Deviation, str]] = field(default_factory=list)

    def add(self, deviation: Deviation, name: str) -> None:
        """Count a document that differs."""
        self.deviations[deviation] += 1
        if self.deviations[deviation] <= SAMPLES_MAX:
            self.samples.append((deviation, name))


async def compare(
    session: OperatorSession, number: int, on_progress: Callable[[Comparison], None]
) -> Comparison:
    """Compare the candidate of this number with the live generation. Safe to repeat.

    Where it lacks something that the live one has, it is repaired from the streams first: it must
    never show less.
    """
    live, candidate = session.generations.live, OneGeneration(session.database, number).live
    comparison = Comparison()
    for kind in DOCUMENT_KINDS:
        unequal = _unequal(
            kind.collection(live), kind.collection(candidate), comparison, on_progress
        )
        async for key in unequal:
            deviation = await _repaired_deviation(session, live, candidate, kind, key)
            if deviation:
                comparison.add(deviation, f"{kind.name}/{key}")
    on_progress(comparison)
    return comparison


async def _repaired_deviation(
    session: OperatorSession, live: Generation, candidate: Generation, kind: DocumentKind, key: str
) -> Deviation | None:
    """How the document differs once it was repaired, if that was necessary; None if not at all."""
    deviation = await _deviation(live, candidate, kind, key)
    if deviation is Deviation.BASELESS:  # or just not read yet
        await repair(session, candidate, kind, key)
        deviation = await _deviation(live, candidate, kind, key)
    return deviation


async def _deviation(
    live: Generation, candidate: Generation, kind: DocumentKind, key: str
) -> Deviation | None:
    async with store_call(COMMAND_READ_TIMEOUT_S):
        one = await kind.collection(live).find_one({"_id": key})
        other = await kind.collection(candidate).find_one({"_id": key})
    if one == other:
        return None
    before, after = stored_fingerprints(kind, one or {}), stored_fingerprints(kind, other or {})
    if one and is_behind(after, before):
        return Deviation.BASELESS
    return Deviation.AHEAD if is_behind(before, after) else Deviation.REWRITTEN


async def _unequal(
    one: Collection,
    other: Collection,
    comparison: Comparison,
    on_progress: Callable[[Comparison], None],
) -> AsyncIterator[str]:
    """The keys of the documents that differ, or that only one collection has."""
    ours, theirs = _by_key(one), _by_key(other)
    left, right = await anext(ours, None), await anext(theirs, None)
    while left or right:
        comparison.documents += 1
        on_progress(comparison)
        key = min(each["_id"] for each in (left, right) if each)
        if not left or not right or left != right:
            yield key
        left = await anext(ours, None) if left and left["_id"] == key else left
        right = await anext(theirs, None) if right and right["_id"] == key else right


def _by_key(collection: Collection) -> AsyncGenerator[Document, None]:
    """All documents in the order of their keys, in which the store and Python agree for texts."""
    found = collection.find({"_id": {"$type": "string"}}).sort("_id")
    return iterate(found, timeout_s=COMMAND_READ_TIMEOUT_S)
