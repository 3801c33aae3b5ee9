"""The benchmark runs from end to end and measures all that it is asked about.

The figures say little: a second each, beside other tests.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MEASURED = {
    *(f"{contestant}.placed" for contestant in ("comanda", "crud")),
    *(
        f"{contestant}.{question}"
        for contestant in ("comanda", "crud")
        for question in ("order", "table", "active", "board", "top")
    ),
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
    *(
        f"comanda.memory.{process}.loaded_mib"
        for process in ("ordering", "serving", "query", "postgresql", "mongodb", "nats")
    ),
    *("limit.postgres", "limit.jetstream.publish", "limit.jetstream.fetch", "limit.http"),
    *("limit.mongodb.upserts", "limit.mongodb.upserts.indexed", "limit.mongodb.finds"),
}


@pytest.mark.xdist_group("benchmark")
@pytest.mark.timeout(900)
@pytest.mark.skipif(
    shutil.which("wrk") is None and not os.environ.get("CI"), reason="wrk is not installed"
)
def test_the_benchmark_measures_all_that_it_is_asked_about(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "tests.benchmarks", "--quick", "--results", str(tmp_path))

    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    figures = json.loads((tmp_path / "results.json").read_text())["figures"]
    assert figures.keys() >= MEASURED
    assert all(figure["least"] >= 0 for name, figure in figures.items() if "growth" not in name)
    assert "Ratios" in outcome.stdout
