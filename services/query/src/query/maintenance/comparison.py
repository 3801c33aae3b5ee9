"""Compares the next generation with the live one, document by document."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from query.maintenance.document_kinds import KINDS, Kind
from query.maintenance.fingerprints import behind
from query.maintenance.repair import mend
from query.maintenance.session import Site
from query.storage.client import COMMAND_READ_TIMEOUT_S, Collection, iterate, store_call
from query.storage.generations import Generation, OneGeneration
from query.views.merge import Document

SAMPLES = 20
"""Documents of each sort that are named."""


class Unlike(StrEnum):
    """How a document of the next generation differs from the live one's."""

    AHEAD = "more in the next"
    """The live one lacks something that is on the streams, or will have it in a moment."""
    REWRITTEN = "other content at the same versions"
    """The fold has changed, or the live one was altered."""
    BASELESS = "in the live one, but not on the streams"


@dataclass(slots=True)
class Comparison:
    """What was found."""

    documents: int = 0
    unlike: Counter[Unlike] = field(default_factory=Counter)
    samples: list[tuple[Unlike, str]] = field(default_factory=list)

    def add(self, how: Unlike, name: str) -> None:
        """Count a document in."""
        self.unlike[how] += 1
        if self.unlike[how] <= SAMPLES:
            self.samples.append((how, name))


Watch = Callable[[Comparison], None]


async def compare(site: Site, number: int, watch: Watch) -> Comparison:
    """Compare the generation of this number with the live one.

    Where it lacks something that the live one has, it is set right from the streams first: it must
    never show less.
    """
    live, following = site.generations.live, OneGeneration(site.database, number).live
    found = Comparison()
    for kind in KINDS:
        async for key in _unequal(kind.collection(live), kind.collection(following), found, watch):
            how = await _how(site, live, following, kind, key)
            if how:
                found.add(how, f"{kind.name}/{key}")
    watch(found)
    return found


async def _how(
    site: Site, live: Generation, following: Generation, kind: Kind, key: str
) -> Unlike | None:
    """How the document differs in the end; None if it does not."""
    how = await _looked_at(live, following, kind, key)
    if how is Unlike.BASELESS:  # or just not read yet
        await mend(site, following, kind, key)
        how = await _looked_at(live, following, kind, key)
    return how


async def _looked_at(
    live: Generation, following: Generation, kind: Kind, key: str
) -> Unlike | None:
    async with store_call(COMMAND_READ_TIMEOUT_S):
        one = await kind.collection(live).find_one({"_id": key})
        other = await kind.collection(following).find_one({"_id": key})
    if one == other:
        return None
    before, after = kind.stored(one or {}), kind.stored(other or {})
    if one and behind(after, before):
        return Unlike.BASELESS
    return Unlike.AHEAD if behind(before, after) else Unlike.REWRITTEN


async def _unequal(
    one: Collection, other: Collection, found: Comparison, watch: Watch
) -> AsyncIterator[str]:
    """The keys of the documents that only one has, or that differ."""
    ours, theirs = _in_order(one), _in_order(other)
    left, right = await anext(ours, None), await anext(theirs, None)
    while left or right:
        found.documents += 1
        watch(found)
        keys = [each["_id"] for each in (left, right) if each]
        key = min(keys)
        if not left or not right or left != right:
            yield key
        left = await anext(ours, None) if left and left["_id"] == key else left
        right = await anext(theirs, None) if right and right["_id"] == key else right


def _in_order(collection: Collection) -> AsyncGenerator[Document, None]:
    """As the store compares texts, and Python, too."""
    found = collection.find({"_id": {"$type": "string"}}).sort("_id")
    return iterate(found, timeout_s=COMMAND_READ_TIMEOUT_S)
