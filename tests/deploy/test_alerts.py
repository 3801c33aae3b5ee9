"""Each alert is raised when something goes wrong, and no other is; of a healthy evening none is.

Prometheus's own tool runs the rules over planted series. What is planted is what services export.
"""

import dataclasses
from pathlib import Path

import pytest

from tests.deploy.exporters import EVERY_TARGET, asked_by, exported_by, metrics_of
from tests.deploy.manifests import KUBERNETES, render
from tests.deploy.planted import EVENINGS
from tests.deploy.programs import SERVICES
from tests.deploy.promtool import promtool, rules_file, run_evenings
from tests.deploy.rules.monitoring import EXPORTED_ELSEWHERE, alerts, expressions

pytestmark = pytest.mark.programs


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return rules_file(tmp_path)


def test_prometheus_takes_the_rules(rules: Path) -> None:
    assert "SUCCESS" in promtool("check", "rules", rules)


def test_each_evening_raises_its_alerts_in_their_minutes_and_no_other(rules: Path) -> None:
    run_evenings(rules, EVENINGS)


def test_an_alert_that_is_raised_otherwise_is_found(rules: Path) -> None:
    relay = EVENINGS["a stopped relay"]
    late = dataclasses.replace(relay, raised={"RelayBehind": 1})

    with pytest.raises(AssertionError, match="RelayBehind"):
        run_evenings(rules, {"a stopped relay": late})


def test_every_alert_has_an_evening() -> None:
    raised = {alert for evening in EVENINGS.values() for alert in evening.raised}

    assert raised == {each["alert"] for each in alerts(render(KUBERNETES / "overlays/production"))}


def test_what_a_service_exports_is_shown_or_calls_somebody() -> None:
    asked = {
        each.name
        for _, expression in expressions(render(KUBERNETES / "overlays/production"))
        for each in asked_by(expression)
    }

    unseen = {
        metric.name
        for service in SERVICES
        for metric in metrics_of(service)
        if not asked & metric.samples.keys()
    }

    assert unseen == set(), "each has a panel, in dashboards/inside.json at the least"


def test_what_is_planted_is_exported_by_that_name_and_with_these_labels() -> None:
    exported: dict[str, set[str]] = {name: set(its) for name, its in EXPORTED_ELSEWHERE.items()}
    for service in SERVICES:
        exported |= {name: its | EVERY_TARGET for name, its in exported_by(service).items()}
    for evening in EVENINGS.values():
        for series in evening.series:
            name, _, labels = series.replace("{restaurant}", "").partition("{")
            (planted,) = asked_by(f"{name}{{{labels}")
            assert planted.name in exported
            assert {label for label, _ in planted.matchers} <= exported[planted.name], series
