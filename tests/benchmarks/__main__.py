"""`python -m tests.benchmarks`: Comanda, a CRUD service and the parts' own limits, in one run."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tests.benchmarks import limits, reads, relay, report, writes
from tests.benchmarks.figures import Figures, spreads
from tests.benchmarks.wrk import NoWrk, require_wrk

console = Console()


def main(
    *,
    quick: Annotated[
        bool, typer.Option(help="Only to see that it runs: the figures say little.")
    ] = False,
    orders: Annotated[
        int, typer.Option(min=1000, help="Orders in the past that reads look at.")
    ] = 100_000,
    seconds: Annotated[int, typer.Option(min=1, help="Of each measurement.")] = 10,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    results: Annotated[Path, typer.Option(help="Folder for results.json and the plots.")] = Path(
        ".bench"
    ),
) -> None:
    """Measure, and show the ratios."""
    if quick:
        orders, seconds, rounds = 1000, 1, 1
    try:
        require_wrk()
    except NoWrk as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    measured = list(_rounds(rounds, orders, seconds))
    settings = {"orders": orders, "seconds": seconds, "rounds": rounds}
    file = report.write_down(results, measured, settings)
    report.show(console, spreads(measured))
    console.print(f"Everything that was measured is in {file}.")


def _rounds(count: int, orders: int, seconds: int) -> Iterator[Figures]:
    """The contestants in turns, round by round."""
    parts: dict[str, Callable[[], Coroutine[Any, Any, Figures]]] = {
        "limits": lambda: limits.measure(orders=min(orders, 20_000), seconds=seconds),
        "placing": lambda: writes.measure(seconds=seconds),
        "relaying": lambda: relay.measure(orders=min(orders, 50_000)),
        "reading": lambda: reads.measure(orders=orders, seconds=seconds),
    }
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
