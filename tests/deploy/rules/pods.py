"""Rules of what a pod asks for, how it is watched and ended, and what it may do on its node."""

from collections.abc import Iterator, Sequence

from service_kit.http.server import SHUTDOWN_GRACE_S

from tests.deploy.cluster import Pod, of_kind, pods, quantity, selects
from tests.deploy.manifests import Manifest, named


def resources_are_asked_for_and_bounded(manifests: Sequence[Manifest]) -> Iterator[str]:
    for pod in pods(manifests):
        for container in pod.containers:
            where = f"{pod.name}, container {container['name']}"
            resources = container.get("resources", {})
            asked, bounds = resources.get("requests", {}), resources.get("limits", {})
            if not {"cpu", "memory"} <= asked.keys() or "memory" not in bounds:
                yield f"{where}: must request CPU and memory and bound its memory"
            try:
                for kind in asked.keys() & bounds.keys():
                    if quantity(asked[kind]) > quantity(bounds[kind]):
                        yield f"{where}: requests more {kind} than its limit"
            except ValueError as error:
                yield f"{where}: {error}"


def ports_exist(manifests: Sequence[Manifest]) -> Iterator[str]:
    every = pods(manifests)
    for pod in every:
        for container in pod.containers:
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                port = container.get(probe, {}).get("httpGet", {}).get("port")
                if port is not None and port not in pod.ports:
                    yield f"{pod.name}: its {probe} asks port {port}, which it does not have"
    for each in of_kind(manifests, "Service"):
        for pod in (pod for pod in every if selects(each["spec"]["selector"], pod)):
            for port in each["spec"]["ports"]:
                if port.get("targetPort", port["port"]) not in pod.ports:
                    yield f"{named(each)} sends to a port that {pod.name} does not have"


def services_are_probed_and_drained(manifests: Sequence[Manifest]) -> Iterator[str]:
    for pod in _deployments(manifests):
        container = pod.containers[-1]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe not in container:
                yield f"{pod.name} has no {probe}"
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if not pause:
            yield f"{pod.name} stops while others still send to it: no preStop pause"
        if pod.spec.get("terminationGracePeriodSeconds", 30) < pause + 2 * SHUTDOWN_GRACE_S:
            yield f"{pod.name} is killed before it can have drained"
        update = pod.owner["spec"].get("strategy", {}).get("rollingUpdate", {})
        if update.get("maxUnavailable") != 0:
            yield f"{pod.name} goes below its replicas during an update"


def services_are_spread(manifests: Sequence[Manifest]) -> Iterator[str]:
    for pod in _deployments(manifests):
        spread = pod.spec.get("topologySpreadConstraints", [])
        if "kubernetes.io/hostname" not in {each["topologyKey"] for each in spread}:
            yield f"{pod.name} may have all its replicas on one node"
        if "topology.kubernetes.io/zone" not in {each["topologyKey"] for each in spread}:
            yield f"{pod.name} may have all its replicas in one zone"
        if not all(selects(each["labelSelector"], pod) for each in spread):
            yield f"{pod.name} is spread by the labels of other pods"


def _deployments(manifests: Sequence[Manifest]) -> list[Pod]:
    return [pod for pod in pods(manifests) if pod.owner["kind"] == "Deployment"]


def pods_are_restricted(manifests: Sequence[Manifest]) -> Iterator[str]:
    """As Pod Security's `restricted` asks, and a read-only root besides."""
    for pod in pods(manifests):
        context = pod.spec.get("securityContext", {})
        if not context.get("runAsNonRoot") or context.get("runAsUser", 0) == 0:
            yield f"{pod.name} may run as root"
        if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{pod.name} has no seccomp profile"
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.name} is given a token of the cluster"
        for own in (container.get("securityContext", {}) for container in pod.containers):
            if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
                yield f"{pod.name} may gain privileges"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{pod.name} may write to its root file system"
            if own.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{pod.name} keeps capabilities"
        if any(key in pod.spec for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{pod.name} shares its node's namespaces"


def audits_have_room_for_their_notes(manifests: Sequence[Manifest]) -> Iterator[str]:
    """On disk, where the root can't be written to: the commands', and those begun over HTTP."""
    for pod in (each for each in pods(manifests) if each.service == "query"):
        if pod.labels["app.kubernetes.io/component"] in ("api", "operator"):
            mounts = pod.containers[-1].get("volumeMounts", [])
            there = {each["name"] for each in mounts if each["mountPath"] == "/tmp"}
            kept = {each["name"]: each for each in pod.spec.get("volumes", [])}
            if not any("emptyDir" in kept.get(name, {}) for name in there):
                yield f"{pod.name} has no /tmp for the notes of an audit"


def what_is_referred_to_is_there(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Service accounts and configuration; secrets are not in the repository."""
    accounts = {each["metadata"]["name"] for each in of_kind(manifests, "ServiceAccount")}
    maps = {each["metadata"]["name"] for each in of_kind(manifests, "ConfigMap")}
    for pod in pods(manifests):
        if pod.spec.get("serviceAccountName") not in accounts:
            yield f"{pod.name} runs as a service account that is not there"
        for volume in pod.spec.get("volumes", []):
            if "configMap" in volume and volume["configMap"]["name"] not in maps:
                yield f"{pod.name} mounts a ConfigMap that is not there"
        for container in pod.containers:
            for source in container.get("envFrom", []):
                if source.get("configMapRef", {}).get("name") not in maps:
                    yield f"{pod.name} takes its environment from what is not there"
