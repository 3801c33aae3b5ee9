"""`comanda demo`: an evening on a system of its own, which is gone afterwards."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from comanda_local.folders import temporary_folder
from comanda_local.interrupts import run
from comanda_local.menus import la_piazza
from comanda_local.simulation import simulate
from comanda_local.stack import Stack
from comanda_local.system_urls import SystemUrls
from comanda_local.visits import generate_visits


def demo(orders: int, *, at_once: int, seed: int, console: Console) -> bool:
    """Returns whether every visit went well and the audit is clean. Raises CannotStart."""
    venue = la_piazza()
    visits = generate_visits(orders, venue.skus, seed=seed)
    with temporary_folder() as folder, _started(folder, console) as stack:
        return run(
            simulate(
                SystemUrls.of(stack), venue, visits, at_once=at_once, rate=None, console=console
            )
        )


@contextlib.contextmanager
def _started(folder: Path, console: Console) -> Iterator[Stack]:
    with console.status("starting …") as status, Stack(folder) as stack:
        status.stop()
        yield stack
