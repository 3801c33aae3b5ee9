"""An evening on the terminal: its progress, and its figures."""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from comanda_local.audit import Findings
from comanda_local.estimates import Accuracy
from comanda_local.evening import Tally

LIST_LINES_MAX = 20
"""Lines of a list that are printed."""


@contextlib.contextmanager
def progress(console: Console, orders: int) -> Iterator[Callable[[Tally], None]]:
    """Bars for the orders placed, the orders that are over, and the rounds served meanwhile."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        placed = bars.add_task("orders placed", total=orders)
        over = bars.add_task("orders over", total=orders)
        served = bars.add_task("rounds served", total=None)

        def show(tally: Tally) -> None:
            bars.update(placed, completed=tally.placed)
            bars.update(over, completed=tally.over)
            bars.update(served, completed=tally.served, total=tally.rounds)

        yield show


def table(tally: Tally, findings: Findings) -> Table:
    """The evening's figures."""
    rows = Table("", "", title="The evening", show_header=False)
    rows.add_row("orders placed", f"{tally.placed:,}")
    rows.add_row("rounds served", f"{tally.served:,}")
    rows.add_row("time", f"{tally.seconds:.1f} s")
    rows.add_row("orders a second", f"{tally.placed / tally.seconds:.0f}")
    rows.add_row("write to read, p50", milliseconds(percentile(tally.lags, 50)))
    rows.add_row("write to read, p99", milliseconds(percentile(tally.lags, 99)))
    for stage, judged in tally.estimates.items():
        rows.add_row(f"estimate when {stage}, off by", accuracy(Accuracy.of(judged)))
    rows.add_row("visits that failed", f"{len(tally.failures):,}")
    rows.add_row("audit: orders compared", f"{findings.orders:,}")
    rows.add_row("audit: differences", f"{len(findings.differences):,}")
    return rows


def print_some(
    console: Console, title: str, lines: Sequence[object], most: int = LIST_LINES_MAX
) -> None:
    """Print the first lines of what may be a long list; nothing if it is empty."""
    if not lines:
        return
    console.print(f"[bold]{title}[/bold]")
    for line in lines[:most]:
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    if len(lines) > most:
        console.print(f"  … and {len(lines) - most:,} more")


def percentile(values: Sequence[float], percent: float) -> float | None:
    """By nearest rank: the smallest value that `percent` of all do not exceed; None of none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def milliseconds(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds * 1000:.1f} ms"


def accuracy(found: Accuracy | None) -> str:
    """The mean error and its bias, in seconds and as a share of the true waits."""
    if found is None:
        return "none"
    share = found.off / found.wait
    return (
        f"{found.off:.2f} s ({share:.0%} of a wait of {found.wait:.2f} s), "
        f"bias {found.bias:+.2f} s, of {found.count:,}"
    )
