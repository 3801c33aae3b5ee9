"""What the services export at /metrics, as their code declares it, and what PromQL asks for."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

KIT = "service_kit"
NO_MODULES = re.compile(r"\.migrations\b|\.__main__$")
"""What does something when it is imported."""

EVERY_TARGET = {"namespace", "pod", "container", "endpoint", "job"}
"""Labels that Prometheus's operator gives whatever a PodMonitor has it read."""


@dataclass(frozen=True)
class Asked:
    """A metric in a PromQL expression, with the labels that are matched, and their values."""

    name: str
    matchers: tuple[tuple[str, str], ...]


@cache
def exported_by(service: str) -> dict[str, set[str]]:
    """The names of the samples that a service exports, each with its labels."""
    found: dict[str, set[str]] = {}
    for module in (*_modules(KIT), *_modules(service)):
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                found |= dict(_samples(metric))
    return found


def _samples(metric: MetricWrapperBase) -> Iterator[tuple[str, set[str]]]:
    name, labels = metric._name, set(metric._labelnames)
    match metric:
        case Counter():
            yield f"{name}_total", labels
        case Gauge():
            yield name, labels
        case Histogram():
            yield f"{name}_bucket", {*labels, "le"}
            yield f"{name}_sum", labels
            yield f"{name}_count", labels
        case _:
            raise NotImplementedError(type(metric))


def _modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    for each in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not NO_MODULES.search(each.name):
            yield importlib.import_module(each.name)


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
