"""A service applied alone is what its overlay makes of it, whatever was applied before."""

import itertools

import pytest

from tests.deploy.cluster import of_kind
from tests.deploy.manifests import KUBERNETES, Manifest, named, render
from tests.deploy.programs import SERVICES

pytestmark = pytest.mark.programs

SIZES = ("small", "production")
SERVICE_LABEL = "app.kubernetes.io/name"

Cluster = dict[str, Manifest]
"""What is there, by kind and name."""


def applied(*folders: str) -> Cluster:
    """What a cluster has after these were applied, one after the other."""
    return {named(each): each for folder in folders for each in render(KUBERNETES.joinpath(folder))}


def share_of(service: str, cluster: Cluster) -> Cluster:
    """What is there for the service: by its label, or by its name."""
    return {
        name: each
        for name, each in cluster.items()
        if each["metadata"].get("labels", {}).get(SERVICE_LABEL) == service
        or (each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith(f"{service}-"))
    }


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_alone_is_its_share_of_the_overlay(service: str, size: str) -> None:
    share = share_of(service, applied(f"overlays/{size}"))

    assert {"Deployment", "Job", "PodDisruptionBudget"} <= {each["kind"] for each in share.values()}
    assert applied(f"{service}/{size}") == share


@pytest.mark.parametrize("size", SIZES)
def test_the_order_in_which_services_are_applied_does_not_matter(size: str) -> None:
    overlay = applied(f"overlays/{size}")

    for order in itertools.permutations(f"{service}/{size}" for service in SERVICES):
        assert applied(f"overlays/{size}", *order) == overlay
        assert applied(*order).items() <= overlay.items()


@pytest.mark.parametrize("service", SERVICES)
def test_production_has_three_copies_replicas_for_a_peak_and_a_share_of_each_node(
    service: str,
) -> None:
    alone = list(applied(f"{service}/production").values())

    told = [each["data"] for each in of_kind(alone, "ConfigMap")]
    copies = [each["COMANDA_STREAM_REPLICAS"] for each in told if "COMANDA_STREAM_REPLICAS" in each]
    assert copies == ["3"]
    for each in of_kind(alone, "HorizontalPodAutoscaler"):
        assert (each["spec"]["minReplicas"], each["spec"]["maxReplicas"]) == (3, 12)
    for each in of_kind(alone, "Deployment"):
        spread = each["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert spread[0]["whenUnsatisfiable"] == "DoNotSchedule"
    budgets = {each["metadata"]["name"] for each in of_kind(alone, "PodDisruptionBudget")}
    assert {each["metadata"]["name"] for each in of_kind(alone, "Deployment")} == budgets
