"""Rendered manifests, looked at as a cluster would: what selects, names and holds what."""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.deploy.manifests import Manifest, named

SUFFIXES = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
}


OF_CLUSTER = "cnpg.io/cluster"
"""The label that CloudNativePG gives every pod of a `Cluster`: its copies, and what makes them."""


@dataclass(frozen=True)
class Pod:
    """The pods that one Deployment, StatefulSet, Job or CronJob makes."""

    owner: Manifest
    template: Manifest

    @property
    def name(self) -> str:
        return named(self.owner)

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.template["metadata"].get("labels", {})
        return labels

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.template["spec"]
        return spec

    @property
    def containers(self) -> list[dict[str, Any]]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def ports(self) -> set[str | int]:
        """Its ports, by name and by number."""
        every = [port for each in self.containers for port in each.get("ports", [])]
        return {port["containerPort"] for port in every} | {
            port["name"] for port in every if "name" in port
        }

    @property
    def service(self) -> str | None:
        """The service of ours that it runs."""
        name = image_of(self.containers[-1]).partition("/")[2]
        return name if image_of(self.containers[-1]).startswith("comanda/") else None

    @property
    def store(self) -> str | None:
        """The store that it is, in the words of our network policies."""
        return self.labels.get("comanda/store")


def image_of(container: Mapping[str, Any]) -> str:
    """Its image without registry and tag: the last two parts of its path."""
    return "/".join(container["image"].partition(":")[0].split("/")[-2:])


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> Iterator[Manifest]:
    return (each for each in manifests if each["kind"] in kinds)


def pods(manifests: Sequence[Manifest]) -> list[Pod]:
    at_once = [
        Pod(each, each["spec"]["template"])
        for each in of_kind(manifests, "Deployment", "StatefulSet", "Job")
    ]
    on_demand = [
        Pod(each, each["spec"]["jobTemplate"]["spec"]["template"])
        for each in of_kind(manifests, "CronJob")
    ]
    return at_once + on_demand


def selects(selector: Mapping[str, Any], pod: Pod) -> bool:
    """Whether a label selector, or a Service's plain one, chooses the pod. Expressions: none."""
    assert "matchExpressions" not in selector
    wanted: Mapping[str, str] = selector.get("matchLabels", selector)
    return wanted.items() <= pod.labels.items()


def quantity(text: str | int) -> Decimal:
    """Such as `250m` or `64Mi`, as a number. Raises ValueError for what is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(\D*)", str(text))
    if found is None or found[2] not in SUFFIXES:
        raise ValueError(f"{text} is no quantity")
    return Decimal(found[1]) * SUFFIXES[found[2]]


def stores(manifests: Sequence[Manifest]) -> set[str]:
    """The stores there are: as pods, or asked for from their operators."""
    asked: dict[str, Callable[[Any], Any]] = {
        "Cluster": lambda spec: spec["inheritedMetadata"]["labels"],
        "MongoDBCommunity": lambda spec: spec["statefulSet"]["spec"]["template"]["metadata"][
            "labels"
        ],
    }
    found = {pod.store for pod in pods(manifests) if pod.store}
    for kind, labels in asked.items():
        for each in of_kind(manifests, kind):
            with contextlib.suppress(KeyError):
                found.add(labels(each["spec"])["comanda/store"])
    return found


def store_selected(manifest: Manifest, selector: str) -> str | None:
    """The store whose pods a policy or budget is for, if it is for a store's."""
    labels: dict[str, str] = manifest["spec"][selector].get("matchLabels", {})
    return labels.get("comanda/store")


def policies_of(manifests: Sequence[Manifest], pod: Pod) -> list[Manifest]:
    """The network policies that hold for the pod."""
    return [
        policy
        for policy in of_kind(manifests, "NetworkPolicy")
        if selects(policy["spec"]["podSelector"], pod)
    ]


def policies_of_store(manifests: Sequence[Manifest], store: str) -> list[Manifest]:
    """The network policies for a store's pods, whoever makes them."""
    return [
        policy
        for policy in of_kind(manifests, "NetworkPolicy")
        if store_selected(policy, "podSelector") == store
    ]


SecretKey = tuple[str, str]
"""A secret and a key in it."""


def secret_keys(manifests: Sequence[Manifest]) -> set[SecretKey]:
    """All that pods, ingresses and the stores' operators are to find in secrets.

    What cert-manager signs is not among it: it makes those secrets by itself. Nor is what may be
    missing.
    """
    signed = {each["spec"]["secretName"] for each in of_kind(manifests, "Certificate")}
    found = set(_referred_keys([pod.spec for pod in pods(manifests)]))
    for each in of_kind(manifests, "Ingress"):
        for tls in each["spec"].get("tls", []):
            found |= {(tls["secretName"], "tls.crt"), (tls["secretName"], "tls.key")}
    for each in of_kind(manifests, "MongoDBCommunity"):
        names = (user["passwordSecretRef"]["name"] for user in each["spec"]["users"])
        found |= {(name, "password") for name in names}
    for each in of_kind(manifests, "Cluster"):
        for role in each["spec"]["managed"]["roles"]:
            name = role["passwordSecret"]["name"]
            found |= {(name, "username"), (name, "password")}
    return {(name, key) for name, key in found if name not in signed}


def _referred_keys(part: Any) -> Iterator[SecretKey]:
    """Each `secretKeyRef` in it and each file of a mounted secret, however deep."""
    match part:
        case {"secretKeyRef": {"optional": True}}:
            return
        case {"secretKeyRef": {"name": str(name), "key": str(key)}}:
            yield name, key
        case {"secret": {"secretName": str(name), "items": items}}:
            yield from ((name, each["key"]) for each in items)
        case dict():
            yield from _referred_keys(list(part.values()))
        case list():
            for each in part:
                yield from _referred_keys(each)


def secret_keys_of_values(values: Manifest) -> set[SecretKey]:
    """What the pods of a Helm chart with these values are to find in secrets."""
    return set(_referred_keys(values))
