"""Rules of what is measured: whatever is asked of Prometheus is exported, and is scraped."""

from collections.abc import Iterator, Sequence

from tests.deploy.cluster import of_kind, pods, selects
from tests.deploy.exporters import EVERY_TARGET, asked_by, components_of, exported_by, grouped_by
from tests.deploy.manifests import Manifest, named

OURS = "comanda_"
"""How the names of our services' metrics begin."""


def pods_that_serve_are_scraped(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Where Prometheus is asked for anything, so that what it knows is of every replica."""
    if not expressions(manifests):
        return
    monitors = list(of_kind(manifests, "PodMonitor"))
    for pod in (pod for pod in pods(manifests) if pod.owner["kind"] == "Deployment"):
        ports = {
            endpoint["port"]
            for each in monitors
            if selects(each["spec"]["selector"], pod)
            for endpoint in each["spec"]["podMetricsEndpoints"]
            if endpoint.get("path", "/metrics") == "/metrics"
        }
        if not ports & pod.ports:
            yield f"{pod.name} is scraped by no PodMonitor"


def monitors_choose_what_is_there(manifests: Sequence[Manifest]) -> Iterator[str]:
    for each in of_kind(manifests, "PodMonitor"):
        if not any(selects(each["spec"]["selector"], pod) for pod in pods(manifests)):
            yield f"{named(each)} selects no pod"


def what_is_asked_for_is_exported(manifests: Sequence[Manifest]) -> Iterator[str]:
    """By a service whose pods are there, with the labels by which it is chosen and grouped."""
    services = {pod.service for pod in pods(manifests) if pod.service}
    for source, expression in expressions(manifests):
        labels = set(EVERY_TARGET)
        for asked in asked_by(expression):
            if not asked.name.startswith(OURS):
                yield f"{source} asks for {asked.name}, which nobody exports"
                continue
            exporters = [each for each in services if asked.name in exported_by(each)]
            if not exporters:
                yield f"{source} asks for {asked.name}, which nobody exports"
            known = set().union(*(exported_by(each)[asked.name] for each in exporters))
            labels |= known
            for label, value in asked.matchers:
                if exporters and label not in known | EVERY_TARGET:
                    yield f"{source}: {asked.name} has no label {label}"
                if label == "component":
                    components = set().union(*map(components_of, services))
                    for unknown in set(value.split("|")) - components:
                        yield f"{source}: no service has a component {unknown}"
        for label in grouped_by(expression) - labels:
            yield f"{source} groups by {label}, which nothing has"


def expressions(manifests: Sequence[Manifest]) -> list[tuple[str, str]]:
    """Each PromQL expression, and where it stands."""
    return [
        (named(each), trigger["metadata"].get("query", ""))
        for each in of_kind(manifests, "ScaledObject")
        for trigger in each["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]
