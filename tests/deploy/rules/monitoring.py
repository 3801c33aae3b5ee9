"""Rules of what is measured: whatever is asked of Prometheus is exported, and is scraped."""

import json
import re
from collections.abc import Iterator, Sequence

from tests.deploy.cluster import of_kind, pods, selects
from tests.deploy.exporters import EVERY_TARGET, asked_by, components_of, exported_by, grouped_by
from tests.deploy.manifests import ROOT, Manifest, named
from tests.deploy.programs import PAGES, SERVICES

OURS = "comanda_"
"""How the names of our services' metrics begin."""
OF_JOBS, OF_VOLUMES = {"namespace", "job_name"}, {"namespace", "persistentvolumeclaim"}
EXPORTED_ELSEWHERE = {
    "kube_deployment_status_replicas_available": {"namespace", "deployment"},
    "kube_job_status_active": OF_JOBS,
    "kube_job_failed": {*OF_JOBS, "condition"},
    "kubelet_volume_stats_used_bytes": OF_VOLUMES,
    "kubelet_volume_stats_capacity_bytes": OF_VOLUMES,
}
"""What kube-state-metrics and the kubelet tell of every cluster, with its labels."""
VARIABLE = re.compile(r"\$__\w+")
"""Stands in a dashboard for what Grafana fills in, such as the time between two points."""
LOG_FIELDS = re.compile(
    r"unwrap (?P<unwrapped>\w+)|[|] (?P<compared>\w+) ?(?:=~|!~|!=|>=|<=|=|>|<)"
    r"|by \((?P<grouped>[^)]*)\)|\{\{\.(?P<shown>\w+)\}\}"
)
"""Where LogQL names fields."""
REQUEST_FIELDS = {
    *("service", "event", "level", "timestamp", "method", "route", "status", "ms"),
    *("restaurant", "subject", "request_id", "trace_id"),
}
"""Of a request's line in the log; `docs/telemetry.md` has them."""
SEVERITIES = {"page", "ticket"}
"""Somebody is called at once, or looks tomorrow."""


def pods_that_serve_are_scraped(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Where Prometheus is asked for anything, so that what it knows is of every replica."""
    if not expressions(manifests):
        return
    monitors = list(of_kind(manifests, "PodMonitor"))
    deployments = (pod for pod in pods(manifests) if pod.owner["kind"] == "Deployment")
    for pod in (pod for pod in deployments if pod.service != PAGES):
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
    services = {pod.service for pod in pods(manifests) if pod.service} & {*SERVICES}
    recordings = recorded(manifests)
    for source, expression in expressions(manifests):
        labels: set[str] = set()
        for asked in asked_by(expression):
            known = _labels_of(asked.name, services)
            if known is None and asked.name in recordings:
                known = grouped_by(recordings[asked.name])
            if known is None:
                yield f"{source} asks for {asked.name}, which nobody exports"
                continue
            labels |= known
            for label, value in asked.matchers:
                if label not in known:
                    yield f"{source}: {asked.name} has no label {label}"
                if label == "component":
                    components = set().union(*map(components_of, services))
                    for unknown in set(value.split("|")) - components:
                        yield f"{source}: no service has a component {unknown}"
        for label in grouped_by(expression) - labels:
            yield f"{source} groups by {label}, which nothing has"


def _labels_of(metric: str, services: set[str]) -> set[str] | None:
    """The labels of a metric, as whoever exports it gives them; None if nobody does."""
    if not metric.startswith(OURS):
        return EXPORTED_ELSEWHERE.get(metric)
    labels = [exported_by(each)[metric] for each in services if metric in exported_by(each)]
    return EVERY_TARGET.union(*labels) if labels else None


def expressions(manifests: Sequence[Manifest]) -> list[tuple[str, str]]:
    """Each PromQL expression, and where it stands."""
    scaled_by = [
        (named(each), trigger["metadata"].get("query", ""))
        for each in of_kind(manifests, "ScaledObject")
        for trigger in each["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    ]
    shown = [
        (source, VARIABLE.sub("5m", query))
        for source, kind, query in panels(manifests)
        if kind == "prometheus"
    ]
    raised = [(f"alert {each['alert']}", each["expr"]) for each in alerts(manifests)]
    return [*scaled_by, *raised, *recorded(manifests).items(), *shown]


def alerts(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Every alert that Prometheus is to raise."""
    return [each for each in rules(manifests) if "alert" in each]


def recorded(manifests: Sequence[Manifest]) -> dict[str, str]:
    """The expression of each metric that Prometheus is to record."""
    return {each["record"]: each["expr"] for each in rules(manifests) if "record" in each}


def rules(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Every rule that Prometheus is to follow."""
    return [
        rule
        for each in of_kind(manifests, "PrometheusRule")
        for group in each["spec"]["groups"]
        for rule in group["rules"]
    ]


def panels(manifests: Sequence[Manifest]) -> Iterator[tuple[str, str, str]]:
    """Each query of a dashboard: where it stands, the kind of its data source, and itself."""
    for each in of_kind(manifests, "ConfigMap"):
        if each["metadata"].get("labels", {}).get("grafana_dashboard"):
            for file, text in each["data"].items():
                for panel in json.loads(text)["panels"]:
                    source = panel["datasource"]["type"]
                    for target in panel["targets"]:
                        yield f"{file}: {panel['title']}", source, target["expr"]


def fields_in(query: str) -> set[str]:
    """The fields of the log's lines that LogQL asks for."""
    found = (name for match in LOG_FIELDS.finditer(query) for name in match.groups() if name)
    return {field.strip() for names in found for field in names.split(",")}


def panels_ask_for_what_is_there(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Of the log for fields that lines of requests have; the rest is held with the expressions."""
    for source, kind, query in panels(manifests):
        if kind == "loki":
            for field in sorted(fields_in(query) - REQUEST_FIELDS):
                yield f"{source} asks the log for {field}, which no line has"
        elif kind != "prometheus":
            yield f"{source} asks {kind}, which is no data source of ours"


def alerts_lead_to_their_page(manifests: Sequence[Manifest]) -> Iterator[str]:
    """To `docs/runbooks/<alert>.md`, by a name that no other alert has."""
    names = [each["alert"] for each in alerts(manifests)]
    yield from (f"two alerts are called {name}" for name in {*names} if names.count(name) > 1)
    for each in alerts(manifests):
        page = f"docs/runbooks/{each['alert']}.md"
        if each["annotations"].get("runbook_url") != page or not (ROOT / page).exists():
            yield f"alert {each['alert']} has no page {page}"
        if each["labels"].get("severity") not in SEVERITIES:
            yield f"alert {each['alert']} does not say how much it hurries"
