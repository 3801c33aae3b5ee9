"""The benchmark runs from end to end and measures all that it is asked about.

The figures say little: a second each, beside other tests.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]

MEASURED = {
    *(f"{contestant}.placed" for contestant in ("comanda", "crud")),
    *(
        f"{contestant}.{question}"
        for contestant in ("comanda", "crud")
        for question in ("order", "table", "active", "board", "top")
    ),
    *(f"{contestant}.order.new_tokens" for contestant in ("comanda", "crud")),
    *(
        f"{contestant}.{question}.{when}.p99_ms"
        for contestant in ("comanda", "comanda_reader", "crud", "crud_reader")
        for question in ("order", "board")
        for when in ("quiet", "busy")
    ),
    *("comanda.pipeline", "comanda.relay", "comanda.projector", "comanda.rebuild.orders"),
    *(
        f"comanda.lag.{at}.{percentile}_ms"
        for at in ("steady", "saturated", "sustained")
        for percentile in ("p50", "p95", "p99")
    ),
    *(f"comanda.neighbour.{which}.p99_ms" for which in ("none", "flood", "poison")),
    *(
        f"comanda.memory.{process}.loaded_mib"
        for process in ("ordering", "serving", "query", "postgresql", "mongodb", "nats")
    ),
    *("limit.postgres", "limit.jetstream.publish", "limit.jetstream.fetch", "limit.http"),
    *("limit.mongodb.upserts", "limit.mongodb.upserts.indexed", "limit.mongodb.finds"),
}


pytestmark = [
    pytest.mark.servers,
    pytest.mark.xdist_group("benchmark"),
    pytest.mark.skipif(
        shutil.which("wrk") is None and not os.environ.get("CI"), reason="wrk is not installed"
    ),
]


def quick(folder: Path) -> list[str]:
    """The command that writes its results there."""
    return [sys.executable, "-m", "tests.benchmarks", "--quick", "--results", str(folder)]


@pytest.mark.timeout(900)
def test_the_benchmark_measures_all_that_it_is_asked_about(tmp_path: Path) -> None:
    outcome = subprocess.run(quick(tmp_path), cwd=ROOT, capture_output=True, text=True, check=False)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    figures = json.loads((tmp_path / "results.json").read_text())["figures"]
    assert figures.keys() >= MEASURED
    assert all(figure["least"] >= 0 for name, figure in figures.items() if "growth" not in name)
    assert "Ratios" in outcome.stdout


def test_a_benchmark_that_is_ended_leaves_no_process(tmp_path: Path) -> None:
    with subprocess.Popen(quick(tmp_path), cwd=ROOT, stdout=subprocess.DEVNULL) as benchmark:
        started = offspring_at_load(benchmark.pid)

        benchmark.terminate()

        assert benchmark.wait(timeout=60) == 128 + signal.SIGTERM
    _, left = psutil.wait_procs(started, timeout=5)
    assert [process for process in left if is_at_work(process)] == []


def offspring_at_load(pid: int) -> list[psutil.Process]:
    """All that it has started, once the load generator is among it."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        offspring = psutil.Process(pid).children(recursive=True)
        if any("wrk" in named(process) for process in offspring):
            return offspring
        time.sleep(0.05)
    raise AssertionError("there was no load")


def is_at_work(process: psutil.Process) -> bool:
    """False too for one that has ended and that nobody has taken note of yet."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def named(process: psutil.Process) -> str:
    """Its name; empty if it has ended meanwhile."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.name()
    return ""
