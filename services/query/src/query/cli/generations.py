"""`rebuild`, `rollback` and `generations`."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Annotated, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from query.cli.command import YesReally, notes, out, run
from query.maintenance import rebuild as operations
from query.maintenance.backfill import BackfillProgress
from query.maintenance.comparison import Comparison
from query.maintenance.rebuild import Outcome, ProgressListener
from query.maintenance.session import OperatorSession
from query.maintenance.switchover import HOLDER_LEASE_S, Sequences
from query.storage.generations import Generation

generations_app = typer.Typer(help="Show the generations of the views, or drop the previous one.")


def rebuild(
    *,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Give up a rebuild or rollback that was interrupted.")
    ] = False,
    yes_really: YesReally = 0,
) -> None:
    """Fill new views from the streams beside the live ones, compare them, and change over.

    It does not change over if views would be left out and the streams are not known to be whole.
    Questions are answered meanwhile. Interrupted and started again, it goes on. What was live
    before is kept for `rollback` until the next rebuild.
    """
    rebuilding = partial(operations.rebuild, yes_really=yes_really)
    run(_abandon if abandon else _with_bars(rebuilding))


def rollback(*, yes_really: YesReally = 0) -> None:
    """Bring the views that were live before up to date, compare them, and change back."""
    run(_with_bars(partial(operations.roll_back, yes_really=yes_really)))


@generations_app.callback(invoke_without_command=True)
def show(context: typer.Context) -> None:
    """Show the generations of the views."""
    if context.invoked_subcommand is None:
        run(_show)


@generations_app.command()
def drop() -> None:
    """Drop the previous generation; there is nothing to roll back to then."""
    run(_drop)


def _with_bars(
    operation: Callable[[OperatorSession, ProgressListener], Awaitable[Outcome]],
) -> Callable[[OperatorSession], Awaitable[bool]]:
    async def command(session: OperatorSession) -> bool:
        if (await session.switchover.pointer()).next:
            notes.print(
                f"Looking for {HOLDER_LEASE_S:.0f} s whether the process that began it is alive …"
            )
        began = time.monotonic()
        with _Bars() as bars:
            outcome = await operation(session, bars)
        _report(outcome, time.monotonic() - began)
        return True

    return command


async def _abandon(session: OperatorSession) -> bool:
    notes.print(f"Looking for {HOLDER_LEASE_S:.0f} s whether the process that began it is alive …")
    number = await session.switchover.abandon()
    await session.switchover.sweep()
    out.print(f"Generation {number} was given up.")
    return True


async def _show(session: OperatorSession) -> bool:
    pointer = await session.switchover.pointer()
    table = Table("generation", "", "orders", "read up to")
    rows: list[tuple[int, str, Sequences]] = [(pointer.live, "live", {})]
    if pointer.next:
        rows.append((pointer.next.number, "being filled", pointer.next.read))
    if pointer.previous:
        rows.append((pointer.previous.number, "previous", pointer.previous.read))
    for number, what, read in rows:
        count = await Generation(session.database, number).orders.estimated_document_count()
        upto = ", ".join(f"{stream} {sequence:,}" for stream, sequence in sorted(read.items()))
        table.add_row(str(number), what, f"{count:,}", upto)
    out.print(table)
    return True


async def _drop(session: OperatorSession) -> bool:
    await session.switchover.forget_previous()
    swept = await session.switchover.sweep()
    out.print(f"Dropped: {', '.join(map(str, swept)) or 'nothing, there was none'}.")
    return True


class _Bars:
    """A bar for the messages read and one for the documents compared, with rate and time left."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn())
        rate = TextColumn("{task.fields[rate]}")
        self._bars = Progress(*columns, rate, console=notes)
        self._reading = self._bars.add_task("reading", total=None, rate="")
        self._comparing = self._bars.add_task("comparing", total=None, rate="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def on_backfill(self, progress: BackfillProgress) -> None:
        """Show how many messages are read."""
        seconds = max(time.monotonic() - progress.began_at, 0.001)
        rate = (progress.done - progress.read_before) / seconds
        left = (progress.total - progress.done) / rate if rate else 0.0
        self._bars.update(
            self._reading,
            total=progress.total,
            completed=progress.done,
            rate=f"{rate:,.0f} a second, {left:,.0f} s left",
        )

    def on_comparison(self, comparison: Comparison) -> None:
        """Show how many documents are compared."""
        self._bars.update(self._comparing, completed=comparison.documents)


def _report(outcome: Outcome, seconds: float) -> None:
    progress, comparison = outcome.progress, outcome.comparison
    news = progress.done - progress.read_before
    out.print(f"{news:,} messages read, {progress.read_before:,} had been read before.")
    if progress.skipped:
        out.print(f"{progress.skipped:,} of them can't be read or stored: see `dead-letters`.")
    equal = comparison.documents - sum(comparison.deviations.values())
    out.print(f"{comparison.documents:,} documents compared, {equal:,} are equal.")
    for deviation, count in comparison.deviations.items():
        out.print(f"{count:,} differ: {deviation}:")
        for sort, name in comparison.samples:
            if sort is deviation:
                out.print(f"    {name}", markup=False)
    out.print(f"Generation {outcome.live} is live after {seconds:.1f} s.")
    out.print(f"Generation {outcome.previous} is kept for a rollback.")
