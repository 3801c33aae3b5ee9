"""Rules of how many pods there are, and of what chooses them."""

from collections.abc import Iterator, Sequence

from tests.deploy.cluster import OF_CLUSTER, of_kind, pods, selects, store_selected, stores
from tests.deploy.manifests import Manifest, named

BY_HELM = "nats"
"""The store that no manifest asks for in production: its chart makes it."""


def selectors_choose_what_is_there(manifests: Sequence[Manifest]) -> Iterator[str]:
    every = pods(manifests)
    for pod in every:
        selector = pod.owner["spec"].get("selector")
        if selector and not selects(selector, pod):
            yield f"{pod.name} does not select its own pods"
    for each in of_kind(manifests, "Service"):
        if not any(selects(each["spec"]["selector"], pod) for pod in every):
            yield f"{named(each)} selects no pod"
    there = stores(manifests) | {BY_HELM}
    clusters = {each["metadata"]["name"] for each in of_kind(manifests, "Cluster")}
    for kind, selector in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        for each in (each for each in of_kind(manifests, kind) if each["spec"][selector]):
            labels = each["spec"][selector].get("matchLabels", {})
            if labels.keys() == {OF_CLUSTER} and labels[OF_CLUSTER] in clusters:
                continue
            if store_selected(each, selector) not in there and not any(
                selects(each["spec"][selector], pod) for pod in every
            ):
                yield f"{named(each)} selects no pod"


def autoscalers_have_a_target_of_their_own(manifests: Sequence[Manifest]) -> Iterator[str]:
    deployments = {each["metadata"]["name"]: each for each in of_kind(manifests, "Deployment")}
    scaled: set[str] = set()
    for each in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject"):
        target = each["spec"]["scaleTargetRef"]["name"]
        if target not in deployments:
            yield f"{named(each)} scales {target}, which is not there"
        elif "replicas" in deployments[target]["spec"]:
            yield f"Deployment/{target} fixes the replicas that {named(each)} decides on"
        if target in scaled:
            yield f"{named(each)} scales {target}, and so does another"
        scaled.add(target)
        yield from _bounds(each)


def _bounds(autoscaler: Manifest) -> Iterator[str]:
    spec = autoscaler["spec"]
    least = spec.get("minReplicas", spec.get("minReplicaCount", 1))
    if not 1 <= least <= spec.get("maxReplicas", spec.get("maxReplicaCount", 100)):
        yield f"{named(autoscaler)} has bounds that leave no number of replicas"


def every_deployment_has_a_disruption_budget(manifests: Sequence[Manifest]) -> Iterator[str]:
    budgets = list(of_kind(manifests, "PodDisruptionBudget"))
    for pod in pods(manifests):
        if pod.owner["kind"] == "Deployment" and not any(
            selects(each["spec"]["selector"], pod) for each in budgets
        ):
            yield f"{pod.name} has no PodDisruptionBudget"


def stores_are_spread_over_zones(manifests: Sequence[Manifest]) -> Iterator[str]:
    """A zone that is lost takes one copy, with two left that agree."""
    for each in of_kind(manifests, "Cluster"):
        yield from _complaint_of_zones(each, each["spec"])
    for each in of_kind(manifests, "MongoDBCommunity"):
        yield from _complaint_of_zones(
            each, each["spec"]["statefulSet"]["spec"]["template"]["spec"]
        )


def _complaint_of_zones(store: Manifest, spec: Manifest) -> Iterator[str]:
    constraints = spec.get("topologySpreadConstraints", [])
    by_zone = [each for each in constraints if each["topologyKey"] == "topology.kubernetes.io/zone"]
    if not any(
        (each["maxSkew"], each["whenUnsatisfiable"]) == (1, "DoNotSchedule")
        and each["labelSelector"]["matchLabels"].keys() == {"comanda/store"}
        for each in by_zone
    ):
        yield f"{named(store)} may have two copies in one zone"


def budgets_leave_a_quorum(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Whoever drains nodes takes as many copies of a store as leave more than half of them."""
    lost = {
        store_selected(each, "selector"): each["spec"].get("maxUnavailable")
        for each in of_kind(manifests, "PodDisruptionBudget")
    }
    for each in of_kind(manifests, "MongoDBCommunity"):
        members, allowed = each["spec"].get("members", 0), lost.get("mongodb")
        if not isinstance(allowed, int) or 2 * (members - allowed) <= members:
            yield f"{named(each)} may lose its quorum to whoever drains nodes"
    for each in of_kind(manifests, "Cluster"):
        if each["spec"].get("enablePDB") is not True:
            yield f"{named(each)} may lose its quorum to whoever drains nodes"
