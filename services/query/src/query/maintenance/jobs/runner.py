"""Carries jobs out in this process, one at a time among all replicas."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import structlog
from service_kit.runtime.cancellation import cancel_until_ended
from service_kit.runtime.components import Ready

from query.maintenance.evidence import ConsentRequired
from query.maintenance.failures import FAILURES, in_plain_words
from query.maintenance.jobs.job import Job, JobKind, JobReport, JobState
from query.maintenance.jobs.store import JobStore
from query.maintenance.retry import retry_while_away
from query.maintenance.session import OperatorSession
from query.maintenance.task_group import task_group
from query.views.ports import StoreUnavailable

log = structlog.get_logger()

BEAT_INTERVAL_S = 1.0

OpenSession = Callable[[], AbstractAsyncContextManager[OperatorSession]]
Work = Callable[[OperatorSession, JobReport], Awaitable[str]]
"""Does what was asked for, and reports meanwhile. Returns the outcome in words."""


class JobRunner:
    """Begins jobs, and carries each out whether or not whoever asked is still there.

    One that is cut short by the end of its process is interrupted.
    """

    def __init__(self, open_session: OpenSession) -> None:
        self._open_session = open_session
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, kind: JobKind, by: str, work: Work) -> Job:
        """Begin a job; returns once it is written down, and will be carried out.

        Raises JobRunning while one is running anywhere, and one of `FAILURES` if the stores are not
        there, or do not let the operator's users in.
        """
        begun: asyncio.Future[Job] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._carry_out(kind, by, work, begun))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(begun)

    async def run(self, ready: Ready) -> None:
        """As a component: ends in the end what is still being carried out."""
        ready()
        try:
            await asyncio.Event().wait()
        finally:
            await cancel_until_ended(list(self._tasks))

    async def _carry_out(
        self, kind: JobKind, by: str, work: Work, begun: asyncio.Future[Job]
    ) -> None:
        try:
            async with self._open_session() as session:
                store = JobStore(session.database)
                job = await store.claim(kind, by)
                begun.set_result(job)
                log.info("job begun", job=job.number, kind=kind.value, by=by)
                await _to_its_end(session, store, job, work)
        except Exception as error:
            if not begun.done():
                begun.set_exception(error)
                return
            log.exception("job can't be written down", exc_info=error)


async def _to_its_end(session: OperatorSession, store: JobStore, job: Job, work: Work) -> None:
    report, consent = JobReport(), None
    try:
        async with _heartbeat(store, job, report):
            outcome = await work(session, report)
        state = JobState.DONE
    except ConsentRequired as error:
        state, outcome, consent = JobState.FAILED, str(error), error.count
    except FAILURES as error:
        state, outcome = JobState.FAILED, in_plain_words(error)
    except Exception as error:
        log.exception("job failed", job=job.number, exc_info=error)
        state, outcome = JobState.FAILED, "This is our fault; it has been logged."

    async def end() -> None:
        await store.end(job.number, state, report, outcome, consent=consent)

    log.info("job ended", job=job.number, state=state.value)
    await retry_while_away(end)


@contextlib.asynccontextmanager
async def _heartbeat(store: JobStore, job: Job, report: JobReport) -> AsyncIterator[None]:
    """Write down how far the job is, for as long as the body runs.

    If it is taken from us the body is cancelled, and NotPossible is raised.
    """
    async with task_group() as group:
        beating = group.create_task(_keep_beating(store, job, report))
        yield
        beating.cancel()


async def _keep_beating(store: JobStore, job: Job, report: JobReport) -> None:
    while True:
        with contextlib.suppress(StoreUnavailable):  # if it is away for long, the body will fail
            await store.beat(job.number, report)
        await asyncio.sleep(BEAT_INTERVAL_S)
