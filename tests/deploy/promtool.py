"""Runs Prometheus's own tool over the rules, and over planted series."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.cluster import of_kind
from tests.deploy.manifests import KUBERNETES, render
from tests.deploy.planted import FAULT, Evening

SETTLED = 16
"""The minute from which on it is looked: until then every counter is new."""
RAISED = 'group by (alertname) (ALERTS{alertstate="firing"})'


def rules_file(folder: Path) -> Path:
    """Production's rules as Prometheus reads them."""
    manifests = of_kind(render(KUBERNETES / "overlays" / "production"), "PrometheusRule")
    groups = [group for each in manifests for group in each["spec"]["groups"]]
    file = folder / "rules.yaml"
    file.write_text(yaml.dump({"groups": groups}, Dumper=yaml.CSafeDumper))
    return file


def promtool(*arguments: str | Path) -> str:
    """What it says; fails the test if it finds a fault, or, but for CI, skips it without one."""
    if not shutil.which("promtool") and not os.environ.get("CI"):
        pytest.skip("promtool is in Debian's package prometheus")
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_evenings(rules: Path, evenings: Mapping[str, Evening]) -> str:
    """Has each evening raise what it is to, minute by minute, and nothing else."""
    file = rules.with_name("tests.yaml")
    tests = [_test(name, each) for name, each in evenings.items()]
    setting = {"rule_files": [rules.name], "evaluation_interval": "1m", "tests": tests}
    file.write_text(yaml.dump(setting, Dumper=yaml.CSafeDumper))
    return promtool("test", "rules", file)


def _test(name: str, evening: Evening) -> dict[str, Any]:
    end = FAULT + evening.minutes
    return {
        "name": name,
        "interval": "1m",
        "input_series": [
            {"series": series, "values": _values([value(minute) for minute in range(end + 1)])}
            for series, value in evening.series.items()
        ],
        "promql_expr_test": [
            {
                "expr": RAISED,
                "eval_time": f"{minute}m",
                "exp_samples": [
                    {"labels": f'{{alertname="{alert}"}}', "value": 1}
                    for alert, since in evening.raised.items()
                    if minute - FAULT >= since
                ],
            }
            for minute in range(SETTLED, end + 1)
        ],
    }


def _values(values: Sequence[float | None]) -> str:
    """In promtool's notation; at its end a series has what Prometheus writes of a lost target."""
    before = [None, *values]
    return " ".join(
        ("_" if before[n] is None else "stale") if each is None else f"{each:.10g}"
        for n, each in enumerate(values)
    )
