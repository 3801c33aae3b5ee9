"""Rebuilds the views beside the live ones, and changes over; or goes back to those before."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from nats.js.errors import NotFoundError

from query.maintenance.ack_floor import AckFloorWaiter, ack_floor
from query.maintenance.backfill import BackfillProgress, backfill
from query.maintenance.comparison import Comparison, Deviation, compare
from query.maintenance.evidence import doubts, require_consent
from query.maintenance.retry import retry_while_away
from query.maintenance.session import OperatorSession
from query.maintenance.switchover import Candidate, NotPossible, Sequences, Switchover
from query.maintenance.task_group import task_group
from query.projection.projector import PROJECTED
from query.storage.checkpoints import MongoCheckpoints
from query.storage.generations import OneGeneration
from query.storage.sales.roll_up import roll_up_all
from query.views.ports import StoreUnavailable

HEARTBEAT_INTERVAL_S = 0.25
PROJECTOR_STALL_TIMEOUT_S = 10.0
"""For which the projectors may stand still before the live generation is taken as it is."""


class ProgressListener(Protocol):
    """Is told how far a rebuild is."""

    def on_backfill(self, progress: BackfillProgress) -> None:
        """More messages were read."""

    def on_comparison(self, comparison: Comparison) -> None:
        """More documents were compared."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a rebuild or rollback that succeeded."""

    previous: int
    """The generation that was live, and is kept for a rollback."""
    live: int
    progress: BackfillProgress
    comparison: Comparison


async def rebuild(
    session: OperatorSession, listener: ProgressListener, *, yes_really: int = 0
) -> Outcome:
    """Fill a new generation, compare it with the live one, and make it the live one.

    Interrupted and started again it goes on. Raises NotPossible while another process rebuilds, and
    if more than `yes_really` views would show less although nothing explains it.
    """
    candidate = await session.switchover.begin()
    return await _fill_and_promote(session, candidate, listener, yes_really)


async def rebuild_untold(session: OperatorSession, listener: ProgressListener) -> Outcome:
    """As `rebuild`, without anybody having asked for it.

    Raises NotPossible, too, if the streams are not known to be whole, or one view would show less.
    """
    if reasons := await doubts(session):
        raise NotPossible(f"{'; '.join(reasons)}: it takes an operator to rebuild from that")
    candidate = await session.switchover.begin()
    return await _fill_and_promote(session, candidate, listener, 0, ["nobody has asked for it"])


async def roll_back(
    session: OperatorSession, listener: ProgressListener, *, yes_really: int = 0
) -> Outcome:
    """Bring the previous generation up to date in the same way, and make it the live one again."""
    candidate = await session.switchover.begin_rollback()
    return await _fill_and_promote(session, candidate, listener, yes_really)


async def _fill_and_promote(
    session: OperatorSession,
    candidate: Candidate,
    listener: ProgressListener,
    yes_really: int,
    reservations: Sequence[str] = (),
) -> Outcome:
    """Catch up, compare, and promote the candidate.

    Readers change over within a second. Both generations are written, at the same instant, from
    when there is a candidate until a minute after the switch: nobody sees a step back. Raises
    NotPossible if the candidate is taken from us or leaves out what nothing explains, and
    StoreUnavailable or nats.errors.Error if a server is away for too long.
    """
    await retry_while_away(session.generations.refresh)
    previous = session.generations.live.number
    generation = OneGeneration(session.database, candidate.number)
    read = dict(candidate.read)

    async with _heartbeat(session.switchover, read):
        progress = await backfill(session, generation, read, listener.on_backfill)
        await _wait_for_projectors(session, progress.until)
        comparison = await retry_while_away(
            partial(compare, session, candidate.number, listener.on_comparison)
        )
        baseless = comparison.deviations[Deviation.BASELESS]
        require_consent([*reservations, *await doubts(session)], baseless, yes_really, "left out")
        await retry_while_away(partial(roll_up_all, generation.live))

    read_by_live = {stream.name: await ack_floor(session, stream) or 0 for stream in PROJECTED}
    await retry_while_away(
        partial(session.switchover.switch, candidate.number, read_by_live=read_by_live)
    )
    await retry_while_away(partial(_put_checkpoints, session, progress.until))
    await retry_while_away(session.switchover.sweep)
    return Outcome(previous, candidate.number, progress, comparison)


async def _put_checkpoints(session: OperatorSession, until: Sequences) -> None:
    """The live views are those of the streams as they are now."""
    checkpoints = MongoCheckpoints(session.database, session.generations)
    for stream in PROJECTED:
        with contextlib.suppress(NotFoundError):
            created = str((await session.js.stream_info(stream.name)).created)
            await checkpoints.replace(stream.name, created, until[stream.name])


@contextlib.asynccontextmanager
async def _heartbeat(switchover: Switchover, read: Sequences) -> AsyncIterator[None]:
    """Tell others that we are alive and how far we are, for as long as the body runs.

    If the candidate is taken from us the body is cancelled, and NotPossible is raised.
    """
    async with task_group() as group:
        beating = group.create_task(_keep_beating(switchover, read))
        yield
        beating.cancel()


async def _keep_beating(switchover: Switchover, read: Sequences) -> None:
    while True:
        with contextlib.suppress(StoreUnavailable):  # if it is away for long, the body will fail
            await switchover.beat(dict(read))
        await asyncio.sleep(HEARTBEAT_INTERVAL_S)


async def _wait_for_projectors(session: OperatorSession, until: Sequences) -> None:
    """Wait until the live generation has as much as the candidate, or projectors stand still."""
    floors = AckFloorWaiter(session, PROJECTOR_STALL_TIMEOUT_S)
    await asyncio.gather(*(floors.wait_for(stream, until[stream.name]) for stream in PROJECTED))
