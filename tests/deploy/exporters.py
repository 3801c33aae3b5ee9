"""What the services export at /metrics, as each says itself, and what PromQL asks for."""

import ast
import importlib
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.deploy.manifests import ROOT
from tests.support.starting import must_be_allowed

EVERY_TARGET = {"namespace", "pod", "container", "endpoint", "job"}
"""Labels that Prometheus's operator gives whatever a PodMonitor has it read."""


@dataclass(frozen=True)
class Asked:
    """A metric in a PromQL expression, with the labels that are matched, and their values."""

    name: str
    matchers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Metric:
    """A metric as its service declares it."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def samples(self) -> dict[str, set[str]]:
        """The names of its samples, each with its labels."""
        labels = {*self.labels}
        match self.type:
            case "counter" | "gauge":
                return {self.name: labels}
            case "histogram":
                ends = {f"{self.name}_sum": labels, f"{self.name}_count": labels}
                return {f"{self.name}_bucket": {*labels, "le"}} | ends
            case _:
                raise NotImplementedError(self.type)


def metrics_of(service: str) -> tuple[Metric, ...]:
    """Every metric of ours that a process of the service exports, by its own word."""
    must_be_allowed(f"a process of {service}")
    return _metrics_of(service)


@cache
def _metrics_of(service: str) -> tuple[Metric, ...]:
    command = [sys.executable, "-m", "tests.deploy.exported", service]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = json.loads(said.splitlines()[-1])
    return tuple(Metric(**each | {"labels": tuple(each["labels"])}) for each in found)


@cache
def exported_by(service: str) -> dict[str, set[str]]:
    """The names of the samples that a service exports, each with its labels."""
    return {name: its for each in metrics_of(service) for name, its in each.samples.items()}


@cache
def components_of(service: str) -> set[str]:
    """The parts by whose names `comanda_component_ready` is labelled."""
    package = Path(importlib.import_module(service).__path__[0])
    return {
        node.args[0].value
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", None) == "Component"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


METRIC = re.compile(r"(?<![\w.])([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?(?!\w|\s*\()")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
RANGE = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")
OPERATORS = {"and", "or", "unless", "bool"}


def asked_by(expression: str) -> list[Asked]:
    """The metrics that a PromQL expression asks for: all names in it but those of functions."""
    bare = RANGE.sub(" ", GROUPING.sub(" ", expression))
    return [
        Asked(name, tuple(MATCHER.findall(matchers)))
        for name, matchers in METRIC.findall(bare)
        if name not in OPERATORS
    ]


def grouped_by(expression: str) -> set[str]:
    """The labels that its aggregations and joins name."""
    return {
        label.strip()
        for labels in GROUPING.findall(expression)
        for label in labels.split(",")
        if label.strip()
    }
