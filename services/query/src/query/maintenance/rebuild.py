"""Rebuilds the views beside the live ones, and changes over; or goes back to those before."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from query.maintenance.backfill import Progress, fill, held
from query.maintenance.comparison import Comparison, compare
from query.maintenance.repair import Arrivals, acknowledged
from query.maintenance.session import Site
from query.maintenance.switchover import Filling
from query.projection.projector import PROJECTED
from query.projection.stream_reader import persistently
from query.storage.generations import OneGeneration
from query.storage.sales.roll_up import roll_up_all

PATIENCE = 10.0
"""Seconds that the projectors may stand still before the live generation is taken as it is."""


class Watch(Protocol):
    """Is told how far a rebuild is."""

    def filling(self, progress: Progress) -> None:
        """So many messages are read."""

    def comparing(self, comparison: Comparison) -> None:
        """So many documents are compared."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rebuild or rollback did."""

    was: int
    """The generation that was live."""
    live: int
    progress: Progress
    comparison: Comparison
    swept: list[int]
    """Generations that were dropped."""


async def rebuild(site: Site, watch: Watch) -> Outcome:
    """Fill a new generation, compare it with the live one, and make it the live one.

    Interrupted and started again it goes on. Raises NotPossible while another process rebuilds.
    """
    return await _succeed(site, await site.succession.begin(), watch)


async def roll_back(site: Site, watch: Watch) -> Outcome:
    """Bring the previous generation up to date in the same way, and make it the live one again."""
    return await _succeed(site, await site.succession.begin_rollback(), watch)


async def _succeed(site: Site, filling: Filling, watch: Watch) -> Outcome:
    """Readers change over within a second. Both generations are written, at the same instant, from
    the beginning of the filling until a minute after the switch: nobody sees a step back.
    """
    await persistently(site.generations.refresh)
    was = site.generations.live.number
    progress = await fill(site, filling, watch.filling)
    comparison = Comparison()

    async def make_sure() -> None:
        nonlocal comparison
        arrivals = Arrivals(site, PATIENCE)
        await asyncio.gather(
            *(arrivals.of(stream, progress.until[stream.name]) for stream in PROJECTED)
        )
        comparison = await persistently(partial(compare, site, filling.number, watch.comparing))
        following = OneGeneration(site.database, filling.number).live
        await persistently(partial(roll_up_all, following))

    await held(site, progress.read, make_sure())
    in_the_old_one = {stream.name: await acknowledged(site, stream) or 0 for stream in PROJECTED}
    await site.succession.switch(in_the_old_one)
    return Outcome(was, filling.number, progress, comparison, await site.succession.sweep())
