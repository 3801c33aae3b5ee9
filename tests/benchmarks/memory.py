"""What processes hold in memory, those that they have started included."""

import contextlib
from collections.abc import Iterable

import psutil
from comanda_local.processes import Child

from tests.benchmarks.figures import Figures

MIB = 2**20


def held(processes: Iterable[Child], when: str) -> Figures:
    """MiB of each; what several share, such as PostgreSQL's buffers, counts once."""
    return {f"memory.{each.name.lower()}.{when}_mib": _held_by(each) for each in processes}


def _held_by(process: Child) -> float:
    root = psutil.Process(process.pid)
    return sum(_share_of(each) for each in (root, *root.children(recursive=True))) / MIB


def _share_of(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
        return float(process.memory_full_info().pss)
    return 0.0
