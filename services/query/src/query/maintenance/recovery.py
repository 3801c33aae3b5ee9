"""Rebuilds the views by itself once the store has lost them, or an older copy of it came back."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import nats.errors
import structlog
from prometheus_client import Counter
from service_kit.runtime.components import Ready

from query.maintenance.backfill import BackfillProgress
from query.maintenance.comparison import Comparison
from query.maintenance.rebuild import rebuild_untold
from query.maintenance.session import OperatorSession
from query.maintenance.switchover import NotPossible
from query.views.ports import Checkpoints, StoreUnavailable

log = structlog.get_logger()

LOOK_INTERVAL_S = 2.0
RETRY_INTERVAL_S = 15.0
"""Seconds after a rebuild that was not possible: another replica may be at it."""

RECOVERIES = Counter("comanda_query_recoveries", "Rebuilds of views that the store had lost")

OpenSession = Callable[[], AbstractAsyncContextManager[OperatorSession]]


class _Silent:
    """Is told how far a rebuild is, and tells nobody."""

    def on_backfill(self, progress: BackfillProgress) -> None: ...

    def on_comparison(self, comparison: Comparison) -> None: ...


# decision/0070: views that were lost are made anew by themselves
async def keep_recovering(
    checkpoints: Checkpoints, open_session: OpenSession, ready: Ready
) -> None:
    """Rebuild the views whenever their checkpoints say that they are lost, for ever.

    Of several replicas one does it. From streams that are not whole nothing is rebuilt, nor what
    would show less: that is an operator's decision, and the reason is reported.
    """
    while True:
        failing = None
        if await _are_lost(checkpoints):
            try:
                await _recover(checkpoints, open_session)
            except NotPossible as error:
                failing = f"the views are not made anew: {error}"
            except (StoreUnavailable, nats.errors.Error, TimeoutError, OSError) as error:
                failing = f"the views are not made anew yet: {type(error).__name__} {error}"
        ready(failing=failing)
        await asyncio.sleep(RETRY_INTERVAL_S if failing else LOOK_INTERVAL_S)


async def _recover(checkpoints: Checkpoints, open_session: OpenSession) -> None:
    async with open_session() as session:
        if not await _are_lost(checkpoints):  # another replica has just done it
            return
        log.warning("the views are lost, and made anew from the streams")
        outcome = await rebuild_untold(session, _Silent())
        RECOVERIES.inc()
        log.info("the views are made anew", generation=outcome.live, read=outcome.progress.done)


async def _are_lost(checkpoints: Checkpoints) -> bool:
    return any(each.is_lost for each in (await checkpoints.known()).values())
