"""`python -m tests.benchmarks`: Comanda, a CRUD service and the parts' own limits, in one run."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tests.benchmarks import (
    growth,
    limits,
    neighbours,
    page,
    plots,
    reads,
    relay,
    report,
    writes,
)
from tests.benchmarks.figures import Figures, spreads
from tests.benchmarks.wrk import NoWrk, is_quick, require_wrk
from tests.support.forked import ForkingPopen

console = Console()

Part = Callable[[], Coroutine[Any, Any, Figures]]
"""Measures its contestants once."""

QUICK_ORDERS = 300
"""In the past; more than are active, so that some are over."""


def main(
    *,
    quick: Annotated[
        bool, typer.Option(help="Only to see that it runs: the figures say little.")
    ] = False,
    orders: Annotated[
        int, typer.Option(min=1000, help="Orders in the past that reads look at.")
    ] = 100_000,
    seconds: Annotated[int, typer.Option(min=1, help="Of each measurement.")] = 4,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    grow: Annotated[
        int, typer.Option(help="Instead: how it grows up to so many orders in the past.")
    ] = 0,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A part by itself: limits, placing, neighbours, relaying or reading."),
    ] = None,
    results: Annotated[Path, typer.Option(help="Folder for results.json and the plots.")] = Path(
        ".bench"
    ),
    renew_page: Annotated[
        bool, typer.Option(help="Write the results into README.md, too.")
    ] = False,
) -> None:
    """Measure, and show the ratios."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # in order
    if quick:
        orders, seconds, rounds = QUICK_ORDERS, 1, 1
        is_quick.set(True)
        subprocess.Popen = ForkingPopen  # type: ignore[misc]
    try:
        require_wrk()
    except NoWrk as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    if grow:
        _grow([size for size in growth.SIZES if size <= grow], seconds, results)
        return
    if only and renew_page:
        raise typer.BadParameter("the page is of a whole run", param_hint="--renew-page")
    parts = _parts(orders, seconds)
    if unknown := set(only or ()) - parts.keys():
        raise typer.BadParameter(f"there is no part {', '.join(unknown)}", param_hint="--only")
    measured = list(
        _rounds(rounds, {name: parts[name] for name in parts if name in (only or parts)})
    )
    settings = {"orders": orders, "seconds": seconds, "rounds": rounds}
    written = report.write_down(results, measured, settings)
    report.show(console, spreads(measured))
    if not only:
        plots.draw(results, spreads(measured))
    if renew_page:
        page.renew(written, spreads(measured), results)
    console.print(f"Everything that was measured is in {results}.")


def _grow(sizes: Sequence[int], seconds: int, results: Path) -> None:
    """Measure size after size, and write down what there is after each."""
    results.mkdir(parents=True, exist_ok=True)
    grown = {}
    for size, figures in growth.measured(sizes, seconds=seconds):
        grown[size] = figures
        console.rule(f"{size:,} orders in the past")
        report.show(console, figures)
        plots.draw_growth(results, grown)
        report.write_growth(results, grown)


def _parts(orders: int, seconds: int) -> dict[str, Part]:
    return {
        "limits": lambda: limits.measure(orders=min(orders, 20_000), seconds=seconds),
        "placing": lambda: writes.measure(seconds=seconds),
        "neighbours": lambda: neighbours.measure(seconds=seconds),
        "relaying": lambda: relay.measure(orders=min(orders, 50_000)),
        "reading": lambda: reads.measure(orders=orders, seconds=seconds),
    }


def _rounds(count: int, parts: Mapping[str, Part]) -> Iterator[Figures]:
    """The contestants in turns, round by round."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for number in range(1, count + 1):
            figures: dict[str, float] = {}
            for name, measure in parts.items():
                task = progress.add_task(f"round {number} of {count}: {name}", total=1)
                figures |= asyncio.run(measure())
                progress.update(task, completed=1)
            yield figures


if __name__ == "__main__":
    typer.run(main)
