"""Compares the live generation with all that is on the streams, document by document."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from query.maintenance.document_kinds import KINDS, Kind
from query.maintenance.fingerprints import Parts, keep_newest
from query.maintenance.repair import Arrivals, Difference, look
from query.maintenance.session import AUDITOR, Site
from query.projection.stream_reader import batches, last_sequence, readable
from query.storage.client import COMMAND_READ_TIMEOUT_S, iterate
from query.storage.generations import Generation

AT_ONCE = 8
"""Documents that are looked at closely at the same time."""


@dataclass(slots=True)
class Tally:
    """What an audit has done so far."""

    events: int = 0
    documents: int = 0
    differences: int = 0


Watch = Callable[[Tally], None]


async def audit(
    site: Site, tally: Tally, watch: Watch, *, patience: float
) -> AsyncGenerator[Difference, None]:
    """Each difference as it is found.

    First everything on the streams is read, and of each part of each document its newest version
    and a digest are kept. Then the documents are gone through, and what does not agree is looked at
    closely, once the projectors have stored what they have received.
    """
    generation, arrivals = site.generations.live, Arrivals(site, patience)
    for kind in KINDS:
        said = await _said(site, kind, tally, watch)
        async with contextlib.aclosing(_suspects(generation, kind, said, tally, watch)) as suspects:
            async for keys in suspects:
                looks = (look(site, arrivals, generation, kind, key) for key in keys)
                for difference in await asyncio.gather(*looks):
                    if difference:
                        tally.differences += 1
                        yield difference


async def _said(site: Site, kind: Kind, tally: Tally, watch: Watch) -> dict[str, Parts]:
    """The parts of each document by its key, as the streams have them."""
    said: dict[str, Parts] = {}
    for stream in kind.streams:
        end = await last_sequence(site.js, stream)
        async with contextlib.aclosing(batches(site.js, stream, AUDITOR, until=end)) as found:
            async for messages in found:
                for received in readable(messages):
                    if isinstance(received.event, kind.events):
                        known = said.setdefault(kind.key(received.event), {})
                        keep_newest(known, kind.heard(received.event))
                tally.events += len(messages)
                watch(tally)
    return said


async def _suspects(
    generation: Generation, kind: Kind, said: dict[str, Parts], tally: Tally, watch: Watch
) -> AsyncGenerator[list[str], None]:
    """The keys of documents that seem to differ, some at a time. Takes what it has seen from
    `said`.
    """
    keys = []
    async for stored in iterate(
        kind.collection(generation).find(), timeout_s=COMMAND_READ_TIMEOUT_S
    ):
        tally.documents += 1
        watch(tally)
        parts = said.pop(stored["_id"], None)
        if parts != kind.stored(stored) or not kind.sound(stored):
            keys.append(stored["_id"])
        if len(keys) == AT_ONCE:
            yield keys
            keys = []
    for more in _in_turn([*keys, *said]):
        yield more


def _in_turn(keys: Iterable[str]) -> Iterator[list[str]]:
    left = iter(keys)
    while some := list(islice(left, AT_ONCE)):
        yield some
