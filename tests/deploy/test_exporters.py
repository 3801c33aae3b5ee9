"""What manifests may ask of Prometheus is what the services answer at /metrics."""

import re

import pytest

from tests.deploy.exporters import (
    Asked,
    asked_by,
    components_of,
    exported_by,
    grouped_by,
    metrics_of,
)
from tests.deploy.programs import SERVICES


@pytest.mark.programs
@pytest.mark.parametrize("service", SERVICES)
def test_names_units_and_labels_are_as_prometheus_wants_them(service: str) -> None:
    """A unit is a base unit, and no label is an id, a subject or a restaurant."""
    for each in metrics_of(service):
        assert each.name.startswith("comanda_"), each
        assert not {"restaurant", "subject", "order", "order_id", "table"} & {*each.labels}, each
        assert not re.search("_(ms|milliseconds|minutes|kilobytes|percent)(_|$)", each.name), each
        assert each.name.endswith("_total") is (each.type == "counter"), each


@pytest.mark.programs
def test_a_service_exports_its_own_and_the_kits() -> None:
    assert "comanda_query_pending_events" in exported_by("query")
    assert "comanda_query_pending_events" not in exported_by("ordering")
    assert exported_by("query")["comanda_query_projection_lag_seconds_bucket"] == {"stream", "le"}
    assert "comanda_received_messages_total" in exported_by("query"), "as FastStream adds it"
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
