"""What each kind of job does: the same as the command of its name."""

from contextlib import aclosing
from functools import partial

from query.maintenance.audit import AuditProgress, audit, audit_and_repair
from query.maintenance.jobs.job import JobReport
from query.maintenance.jobs.runner import Work
from query.maintenance.rebuild import Outcome, rebuild, roll_back
from query.maintenance.session import OperatorSession


def auditing(stall_timeout_s: float) -> Work:
    """Compare the views with all that was published."""

    async def work(session: OperatorSession, report: JobReport) -> str:
        progress = AuditProgress()
        take_over = partial(_take_over, report)
        found = audit(session, progress, take_over, stall_timeout_s=stall_timeout_s)
        async with aclosing(found):
            async for difference in found:
                report.add(difference, is_repaired=False)
                take_over(progress)
        return _summary(progress)

    return work


def repairing(stall_timeout_s: float, yes_really: int) -> Work:
    """The same, and repair the documents that differ."""

    async def work(session: OperatorSession, report: JobReport) -> str:
        progress = AuditProgress()
        take_over = partial(_take_over, report)
        found = audit_and_repair(
            session, progress, take_over, stall_timeout_s=stall_timeout_s, yes_really=yes_really
        )
        async with aclosing(found):
            async for difference, is_repaired in found:
                report.add(difference, is_repaired=is_repaired)
                take_over(progress)
        return _summary(progress)

    return work


def rebuilding(yes_really: int) -> Work:
    """Fill new views, compare them, and change over."""

    async def work(session: OperatorSession, report: JobReport) -> str:
        return _changed_over(await rebuild(session, report, yes_really=yes_really))

    return work


def rolling_back(yes_really: int) -> Work:
    """Bring the views that were live before up to date, compare them, and change back."""

    async def work(session: OperatorSession, report: JobReport) -> str:
        return _changed_over(await roll_back(session, report, yes_really=yes_really))

    return work


async def abandon(session: OperatorSession, _: JobReport) -> str:
    """Give up a rebuild or rollback that was interrupted."""
    number = await session.switchover.abandon()
    await session.switchover.sweep()
    return f"Generation {number} was given up."


async def drop(session: OperatorSession, _: JobReport) -> str:
    """Drop the previous generation."""
    await session.switchover.forget_previous()
    dropped = await session.switchover.sweep()
    return f"Dropped: {', '.join(map(str, dropped)) or 'nothing, there was none'}."


def _take_over(report: JobReport, progress: AuditProgress) -> None:
    report.messages, report.documents = progress.events, progress.documents
    report.differences, report.repaired = progress.differences, progress.repaired


def _summary(progress: AuditProgress) -> str:
    return (
        f"{progress.events:,} events and {progress.documents:,} documents compared, "
        f"{progress.differences:,} differences, {progress.repaired:,} repaired."
    )


def _changed_over(outcome: Outcome) -> str:
    return f"Generation {outcome.live} is live; {outcome.previous} is kept for a rollback."
