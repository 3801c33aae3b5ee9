"""Rules of who may speak to whom: what the design allows, and nothing else."""

from collections.abc import Iterator, Sequence

from tests.deploy.cluster import (
    OF_CLUSTER,
    Pod,
    of_kind,
    pods,
    policies_of,
    policies_of_store,
    selects,
)
from tests.deploy.manifests import Manifest, named

MAY_REACH: dict[tuple[str, str], dict[str, int | tuple[int, ...]]] = {
    ("ordering", "api"): {
        "provider": (443, 8443),
        "monitoring": 4318,
        "nats": 4222,
        "postgresql": 5432,
    },
    ("ordering", "migration"): {"postgresql": 5432},
    ("ordering", "set-up"): {"nats": 4222},
    ("ordering", "operator"): {"nats": 4222, "postgresql": 5432},
    ("serving", "api"): {"provider": (443, 8443), "monitoring": 4318, "nats": 4222},
    ("serving", "set-up"): {"nats": 4222},
    ("serving", "operator"): {"nats": 4222},
    ("query", "api"): {"provider": (443, 8443), "monitoring": 4318, "nats": 4222, "mongodb": 27017},
    ("query", "projector"): {
        "provider": (443, 8443),
        "monitoring": 4318,
        "nats": 4222,
        "mongodb": 27017,
    },
    ("query", "set-up"): {"nats": 4222},
    ("query", "operator"): {"nats": 4222, "mongodb": 27017},
    ("pages", "api"): {},
}
"""What the design lets each part of us reach, besides names to be resolved: ports, by whose."""

BACKUPS_REACH = {"postgresql": "postgresql", "streams": "nats", "drill": None}
"""What is reached by each part of the backups."""

OUTSIDE = ("provider", "monitoring")
"""Namespaces by their labels: where keys of access tokens are fetched, and spans collected."""

MAY_BE_REACHED_FROM = {"comanda/gateway": "http", "comanda/monitoring": "admin"}
"""The labels of the namespaces that may speak to us, and the port at which each may."""

NAMES = [
    {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    },
    {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}},
        "podSelector": {"matchLabels": {"dns.operator.openshift.io/daemonset-dns": "default"}},
    },
    {"ipBlock": {"cidr": "169.254.20.10/32"}},
]
"""Where names are resolved: by Kubernetes' DNS, OpenShift's, and a node's own cache of it."""
NAME_PORTS = {53, 5353}
"""OpenShift's pods listen at the latter."""


STORES_OWN_PORTS = {
    "nats": ({4222}, {6222}),
    "postgresql": ({5432}, {5432, 8000}),
    "mongodb": ({27017}, {27017}),
}
"""The ports of each store: for whoever uses it, and among its copies."""

API_PORTS = {443, 6443}
"""Of Kubernetes' API, which is asked by what an operator runs, and of an object store's backups."""

TOLD_BY = {
    "COMANDA_NATS_URL": "nats",
    "COMANDA_DATABASE_URL": "postgresql",
    "COMANDA_MONGODB_URL": "mongodb",
    "COMANDA_JWKS": "provider",
}
"""Which setting tells a program of whom."""


def everything_else_is_denied(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Both ways, for every pod of a namespace of ours, whoever makes it."""
    denied = [
        each["metadata"].get("namespace")
        for each in of_kind(manifests, "NetworkPolicy")
        if each["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ]
    for each in of_kind(manifests, "Namespace"):
        if each["metadata"]["name"] not in denied:
            yield f"{named(each)} allows what no policy denies"
    for each in of_kind(manifests, "NetworkPolicy"):
        if not each["spec"]["podSelector"] and {"ingress", "egress"} & each["spec"].keys():
            yield f"{named(each)} allows something to every pod"


def programs_reach_whom_their_settings_tell_of(manifests: Sequence[Manifest]) -> Iterator[str]:
    """A program that is told of a store, or of the provider, reaches it; and else none."""
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(manifests, "ConfigMap")}
    for pod in (pod for pod in pods(manifests) if pod.service):
        told = {
            name
            for container in pod.containers
            for name in (
                *(each["name"] for each in container.get("env", [])),
                *(
                    name
                    for source in container.get("envFrom", [])
                    for name in maps.get(source.get("configMapRef", {}).get("name"), {})
                ),
            )
        }
        needed = {whom for name, whom in TOLD_BY.items() if name in told}
        rules = [
            rule for each in policies_of(manifests, pod) for rule in each["spec"].get("egress", [])
        ]
        reached = {str(_reached_by(rule)) for rule in rules} - {"names", "monitoring", "None"}
        for whom in needed - reached:
            yield f"{pod.name} is told of {whom}, and can't reach it"
        for whom in reached - needed:
            yield f"{pod.name} reaches {whom}, of which nothing tells it"
        for whom in reached & STORES_OWN_PORTS.keys():
            if policies_of_store(manifests, whom) and not _lets_in(manifests, whom, pod):
                yield f"{pod.name} may go to {whom}, which does not let it in"


def backups_reach_their_store_alone(manifests: Sequence[Manifest]) -> Iterator[str]:
    """And nobody reaches them; what tries a backup reaches nobody either."""
    for pod in (each for each in pods(manifests) if _name(each) == "backup"):
        store = BACKUPS_REACH.get(pod.labels["app.kubernetes.io/component"])
        for policy in policies_of(manifests, pod):
            if policy["spec"].get("ingress"):
                yield f"{named(policy)} lets {pod.name} be reached"
            reached = {_reached_by(rule) for rule in policy["spec"].get("egress", [])}
            if policy["spec"]["podSelector"] and reached != ({"names", store} if store else set()):
                yield f"{named(policy)} lets {pod.name} reach more or less than its store"
        there = store and policies_of_store(manifests, store)
        if store and there and not _lets_in(manifests, store, pod):
            yield f"{pod.name} may go to {store}, which does not let it in"


def _name(pod: Pod) -> str | None:
    return pod.labels.get("app.kubernetes.io/name")


def _lets_in(manifests: Sequence[Manifest], store: str, pod: Pod) -> bool:
    """Whether the store's policies let the pod in at the store's ports, by name or number."""
    clients, _ = STORES_OWN_PORTS[store]
    return any(
        {port["port"] for port in rule["ports"]} & (clients | {store})
        for policy in policies_of_store(manifests, store)
        for rule in policy["spec"].get("ingress", [])
        for peer in rule.get("from", [])
        if "podSelector" in peer and selects(peer["podSelector"], pod)
    )


def stores_reach_their_copies_alone(manifests: Sequence[Manifest]) -> Iterator[str]:
    """And names; one that an operator runs Kubernetes' API, too."""
    by_operator = {"Cluster": "postgresql", "MongoDBCommunity": "mongodb"}
    asking = {by_operator[each["kind"]] for each in of_kind(manifests, *by_operator)}
    for store, (_, among_copies) in STORES_OWN_PORTS.items():
        for policy in policies_of_store(manifests, store):
            if "Egress" not in policy["spec"]["policyTypes"]:
                yield f"{named(policy)} lets {store} reach anything"
            for rule in policy["spec"].get("egress", []):
                ports = {port["port"] for port in rule.get("ports", [])}
                reached = _reached_by_store(rule)
                if not (
                    (reached == "names" and ports == NAME_PORTS)
                    or (reached == store and ports == among_copies)
                    or (reached == "API" and store in asking)
                ):
                    yield f"{named(policy)} lets {store} reach more than its copies"


def copies_can_be_made(manifests: Sequence[Manifest]) -> Iterator[str]:
    """By CloudNativePG's Jobs, whose pods have its label and not those that copies inherit."""
    for each in of_kind(manifests, "Cluster"):
        labels = {OF_CLUSTER: each["metadata"]["name"]}
        maker = Pod(each, {"metadata": {"labels": labels}})
        reached = {
            _reached_by_store(rule)
            for policy in policies_of(manifests, maker)
            for rule in policy["spec"].get("egress", [])
        }
        for whom in sorted({"names", "postgresql", "API"} - reached):
            yield f"{named(each)}: what makes a copy can't reach {whom}"
        if not _lets_in(manifests, "postgresql", maker):
            yield f"{named(each)} does not let in what makes a copy"


def _reached_by_store(rule: Manifest) -> str | None:
    """As `_reached_by`, and `API` for Kubernetes' API at any address."""
    ports = {port["port"] for port in rule.get("ports", [])}
    return "API" if "to" not in rule and ports == API_PORTS else _reached_by(rule)


def every_pod_has_a_network_policy(manifests: Sequence[Manifest]) -> Iterator[str]:
    for pod in pods(manifests):
        held = {
            kind
            for each in policies_of(manifests, pod)
            if each["spec"]["podSelector"]  # one for all of them allows nothing
            for kind in each["spec"]["policyTypes"]
        }
        if "Ingress" not in held:
            yield f"{pod.name} may be reached from anywhere: no NetworkPolicy"
        if pod.service and "Egress" not in held:
            yield f"{pod.name} may reach anything: no NetworkPolicy"


def services_reach_their_stores_alone(manifests: Sequence[Manifest]) -> Iterator[str]:
    for pod in (pod for pod in pods(manifests) if pod.service):
        part = (pod.labels["app.kubernetes.io/name"], pod.labels["app.kubernetes.io/component"])
        allowed = dict(MAY_REACH.get(part, {}))
        for policy in policies_of(manifests, pod):
            for rule in policy["spec"].get("egress", []):
                store = _reached_by(rule)
                ports = {port["port"] for port in rule.get("ports", [])}
                if store is None:
                    yield f"{named(policy)} lets {pod.name} reach more than stores and names"
                elif store == "names":
                    if ports != NAME_PORTS:
                        yield f"{named(policy)} lets {pod.name} reach more or less than DNS"
                elif ports != _as_set(allowed.pop(store, None)):
                    yield f"{named(policy)} lets {pod.name} reach {store} at {ports}"
        if allowed:
            yield f"{pod.name} can't reach {', '.join(allowed)}"


def _as_set(ports: int | tuple[int, ...] | None) -> set[int | None]:
    return set(ports) if isinstance(ports, tuple) else {ports}


def _reached_by(rule: Manifest) -> str | None:
    """The one store that the rule opens, `names` or one outside; None if it opens anything else."""
    match rule.get("to"):
        case [{"podSelector": {"matchLabels": {"comanda/store": str(store), **more}}, **other}]:
            return store if not more and not other else None
        case peers if peers == NAMES:
            return "names"
        case [{"namespaceSelector": selector, **other}]:
            of = {each: {"matchLabels": {f"comanda/{each}": "true"}} for each in OUTSIDE}
            return next((each for each in OUTSIDE if selector == of[each] and not other), None)
        case _:
            return None


def services_are_reached_from_outside_alone(manifests: Sequence[Manifest]) -> Iterator[str]:
    """From the gateway and from Prometheus: no service may speak to another."""
    for pod in (pod for pod in pods(manifests) if pod.service):
        for policy in policies_of(manifests, pod):
            for rule in policy["spec"].get("ingress", []):
                if not all(_is_outside(each) for each in rule.get("from", [{}])):
                    yield f"{named(policy)} lets {pod.name} be reached by more than the gateway"
                opened = {port.get("port") for port in rule.get("ports", [{}])}
                for label in _labels(rule):
                    if opened != {MAY_BE_REACHED_FROM.get(label)}:
                        yield f"{named(policy)} lets {label} reach {pod.name} at another port"
                for port in rule.get("ports", [{}]):
                    if port.get("port") not in pod.ports:
                        yield f"{named(policy)} opens a port that {pod.name} does not have"


def _labels(rule: Manifest) -> Iterator[str]:
    """Of the namespaces that the rule lets in."""
    for peer in rule.get("from", []):
        yield from peer.get("namespaceSelector", {}).get("matchLabels", {})


def _is_outside(peer: Manifest) -> bool:
    match peer:
        case {"namespaceSelector": {"matchLabels": labels}}:
            return len(peer) == 1 and bool(labels) and labels.keys() <= MAY_BE_REACHED_FROM.keys()
        case _:
            return False


def stores_are_reached_by_their_owners_alone(manifests: Sequence[Manifest]) -> Iterator[str]:
    """What MAY_REACH says, seen from the other side: a store's policy lets in no other service."""
    for policy in of_kind(manifests, "NetworkPolicy"):
        store = policy["spec"]["podSelector"].get("matchLabels", {}).get("comanda/store")
        if store is None:
            continue
        for rule in policy["spec"].get("ingress", []):
            for peer in rule.get("from", [{}]):
                if not peer:
                    yield f"{named(policy)} lets anybody reach {store}"
                for pod in (pod for pod in pods(manifests) if pod.service):
                    chosen = "podSelector" in peer and selects(peer["podSelector"], pod)
                    labels = pod.labels
                    part = (labels["app.kubernetes.io/name"], labels["app.kubernetes.io/component"])
                    if chosen and store not in MAY_REACH.get(part, {}):
                        yield f"{named(policy)} lets {pod.name} reach {store}"
