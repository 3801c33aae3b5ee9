"""What replicas ask for follows from what their work was measured to cost; a page says how."""

import re
from decimal import Decimal

import pytest

from tests.deploy.cluster import of_kind, pods, quantity
from tests.deploy.manifests import KUBERNETES, ROOT, Manifest, render

pytestmark = pytest.mark.programs

PAGE = (ROOT / "docs" / "scaling.md").read_text()
RESULTS = (ROOT / "tests" / "benchmarks" / "README.md").read_text()
NUMBER = r"[\d,.]+"
MEASURED = {
    name: Decimal(median.replace(",", ""))
    for name, median in re.findall(rf"^\| ([a-z_0-9.-]+) \| ({NUMBER}) \|", RESULTS, re.MULTILINE)
}
CPU_ROWS = re.findall(
    rf"^\| `([a-z-]+)` \| [^|]+ \| ({NUMBER}) \| `([a-z.]+)` \| (\w+) \| ({NUMBER}) \|$",
    PAGE,
    re.MULTILINE,
)
MEMORY_ROWS = re.findall(
    rf"^\| `([a-z-]+)` \| ({NUMBER}) \| `([a-z_.]+)` \| (\w+) \| (\w+) \|$", PAGE, re.MULTILINE
)
TOLERANCE = Decimal("0.2")
"""A run's medians are apart from another's by so much without anything having changed."""


@pytest.fixture(scope="module")
def production() -> list[Manifest]:
    return render(KUBERNETES / "overlays" / "production")


def about(said: str, computed: Decimal) -> bool:
    return abs(Decimal(said.replace(",", "")) - computed) <= TOLERANCE * computed


def resources(manifests: list[Manifest]) -> dict[str, dict[str, dict[str, str]]]:
    """Of each Deployment, by its name."""
    return {
        pod.owner["metadata"]["name"]: pod.containers[-1]["resources"]
        for pod in pods(manifests)
        if pod.owner["kind"] == "Deployment"
    }


def test_a_replica_is_said_to_do_what_its_request_is_enough_for(
    production: list[Manifest],
) -> None:
    (target,) = {
        metric["resource"]["target"]["averageUtilization"]
        for each in of_kind(production, "HorizontalPodAutoscaler")
        for metric in each["spec"]["metrics"]
    }

    assert [part for part, *_ in CPU_ROWS] == ["ordering", "query", "query-projector"]
    assert f"at {target} % of what it requests" in PAGE
    for part, cost_ms, figure, request, rate in CPU_ROWS:
        requested = resources(production)[part]["requests"]["cpu"]
        assert requested == request
        assert about(cost_ms, 1000 / MEASURED[figure])
        assert about(rate, quantity(requested) * target / 100 * MEASURED[figure])


def test_all_of_an_order_costs_what_the_page_says() -> None:
    (said,) = re.findall(rf"took ({NUMBER}) ms", PAGE)

    assert about(said, 2 * 1000 / MEASURED["comanda.pipeline"])


def test_production_begins_with_the_rate_that_the_page_says(production: list[Manifest]) -> None:
    (rate,) = (Decimal(rate.replace(",", "")) for part, *_, rate in CPU_ROWS if part == "ordering")
    (replicas,) = {
        each["spec"]["minReplicas"]
        for each in of_kind(production, "HorizontalPodAutoscaler")
        if each["metadata"]["name"] == "ordering"
    }

    assert f"{replicas * rate} orders a second" in PAGE
    assert "Production begins with three replicas" in PAGE


def test_memory_is_asked_for_twice_and_bounded_at_twice_that(production: list[Manifest]) -> None:
    asked = resources(production)

    assert {part for part, *_ in MEMORY_ROWS} == asked.keys() - {"pages"}
    for part, measured, figure, request, limit in MEMORY_ROWS:
        assert (asked[part]["requests"]["memory"], asked[part]["limits"]["memory"]) == (
            request,
            limit,
        )
        assert about(measured, MEASURED[figure])
        held = MEASURED[figure] * 2**20
        assert quantity(request) >= 2 * held
        assert quantity(limit) >= 2 * quantity(request)


def test_a_projector_is_added_for_as_many_events_as_the_page_says(
    production: list[Manifest],
) -> None:
    (scaled,) = of_kind(production, "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    threshold = int(trigger["metadata"]["threshold"])

    (metric,) = re.findall(r"comanda_\w+", trigger["metadata"]["query"])
    assert f"each {threshold:,} events that are behind (`{metric}`)" in PAGE
    assert about("0.5", threshold / MEASURED["comanda.projector"])
    assert about(
        "3", threshold / (MEASURED["comanda.projector"] * Decimal("0.25") * Decimal("0.7"))
    )
