"""What manifests may ask of Prometheus is what the services answer at /metrics."""

import pytest
from prometheus_client import generate_latest

from tests.deploy.exporters import Asked, asked_by, components_of, exported_by, grouped_by
from tests.deploy.programs import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_declared_is_on_the_page(service: str) -> None:
    declared = exported_by(service)
    page = generate_latest().decode()

    families = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")}
    histograms = ("_bucket", "_sum", "_count")
    for name in declared:
        base = next((name.removesuffix(end) for end in histograms if name.endswith(end)), name)
        assert families & {name, base}
    assert {"comanda_component_ready", "comanda_dead_letters_total"} <= declared.keys()


def test_a_service_exports_its_own_and_the_kits() -> None:
    assert "comanda_query_pending_events" in exported_by("query")
    assert "comanda_query_pending_events" not in exported_by("ordering")
    assert exported_by("query")["comanda_query_projection_lag_seconds_bucket"] == {"stream", "le"}
    assert {"database", "relay"} <= components_of("ordering")


def test_the_metrics_of_an_expression_are_found() -> None:
    expression = (
        'sum by (stream) (rate(comanda_a_total{stream=~"ORDERS|MENU", pod!=""}[5m])) / 1e9 > 2'
        " and on (stream) max_over_time(comanda_b[1h] offset 1h) >= bool 0"
    )

    assert asked_by(expression) == [
        Asked("comanda_a_total", (("stream", "ORDERS|MENU"), ("pod", ""))),
        Asked("comanda_b", ()),
    ]
    assert grouped_by(expression) == {"stream"}
