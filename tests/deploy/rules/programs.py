"""Rules of what our containers run: which image, with which arguments and in which environment."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.deploy.cluster import Pod, image_of, of_kind, pods
from tests.deploy.manifests import Manifest
from tests.deploy.programs import (
    GIVEN_BY_A_SECRET,
    PAGES,
    PROGRAMS,
    SERVICES,
    STEPS,
    complaints,
    version_of,
)

SECRETS_OF_PARTS = {
    **{(each, "set-up"): {f"{each}-operator"} for each in SERVICES},
    **{(each, "operator"): {f"{each}-operator"} for each in SERVICES},
    ("ordering", "migration"): {"ordering-migrator"},
    ("ordering", "api"): {"ordering-guests"},
    ("query", "api"): {"query-guests"},
    ("query", "projector"): {"query-projector"},
    ("query", "operator"): {"query-operator", "query-projector"},
}
"""Which part of a service is given which secrets besides the service's own."""

MAY_BE_MADE = {(each, "api"): f"{each}-operate" for each in SERVICES}
"""The secret that makes an operator of what serves, if there is one: nothing makes it by itself."""


def images_are_pinned(manifests: Sequence[Manifest]) -> Iterator[str]:
    """To a version; ours to the one that the package has."""
    for pod in pods(manifests):
        for image in (container["image"] for container in pod.containers):
            tag = image.rpartition("/")[2].partition(":")[2]
            if not tag or tag == "latest":
                yield f"{pod.name}: {image} may be any version"
            elif pod.service in (*SERVICES, PAGES) and tag != version_of(pod.service):
                yield f"{pod.name}: {image} is not {version_of(pod.service)}"


def programs_are_known_and_given_their_settings(manifests: Sequence[Manifest]) -> Iterator[str]:
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(manifests, "ConfigMap")}
    for pod, container in _ours(manifests):
        program = (image_of(container).partition("/")[2], *container.get("args", []))
        settings = PROGRAMS.get(program)
        if settings is None:
            yield f"{pod.name} runs {' '.join(program)}, which is not known"
        else:
            for complaint in complaints(settings, _environment(container, maps)):
                yield f"{pod.name}: {complaint}"


def services_are_set_up(manifests: Sequence[Manifest]) -> Iterator[str]:
    """By Jobs that are repeated until they succeed."""
    jobs = {
        (pod.service, *container.get("args", [])): pod
        for pod, container in _ours(manifests)
        if pod.owner["kind"] == "Job"
    }
    for pod in pods(manifests):
        if pod.owner["kind"] == "Deployment" and pod.service:
            for step in STEPS[pod.service]:
                if (pod.service, step) not in jobs:
                    yield f"{pod.name} needs {pod.service} {step}, which no Job runs"
    for pod in jobs.values():
        if pod.spec.get("restartPolicy") != "OnFailure":
            yield f"{pod.name} is not repeated when it fails"


def jobs_are_named_by_their_release(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Of us, or of the store that they are for.

    A Job can't be changed, and one that goes by itself is made again by whatever keeps a cluster as
    its repository says.
    """
    for pod in (pod for pod in pods(manifests) if pod.owner["kind"] == "Job"):
        if "ttlSecondsAfterFinished" in pod.owner["spec"]:
            yield f"{pod.name} goes by itself, and so is made again"
        tag = pod.containers[-1]["image"].rpartition(":")[2]
        if not pod.name.endswith(f"-{tag.replace('.', '-')}"):
            yield f"{pod.name} has the name of another release's"


def secrets_are_only_referred_to(manifests: Sequence[Manifest]) -> Iterator[str]:
    for each in of_kind(manifests, "Secret"):
        yield f"Secret/{each['metadata']['name']} is in the repository"
    for pod, container in _ours(manifests):
        plain = [each["name"] for each in container.get("env", []) if "value" in each]
        mapped = [
            name
            for each in of_kind(manifests, "ConfigMap")
            if {"configMapRef": {"name": each["metadata"]["name"]}} in container.get("envFrom", [])
            for name in each["data"]
        ]
        for name in {*plain, *mapped} & GIVEN_BY_A_SECRET.keys():
            yield f"{pod.name}: {name} is written down"


def secrets_go_to_their_service_alone(manifests: Sequence[Manifest]) -> Iterator[str]:
    """A service's secret bears its name, or with it that of the part that may do more."""
    for pod, container in _ours(manifests):
        part = pod.labels.get("app.kubernetes.io/component", "")
        allowed = {
            pod.service,
            f"{pod.service}-tls",
            *SECRETS_OF_PARTS.get((str(pod.service), part), set()),
        }
        for each in container.get("env", []):
            referred = each.get("valueFrom", {}).get("secretKeyRef", {})
            secret = referred.get("name")
            if secret and secret == MAY_BE_MADE.get((str(pod.service), part)):
                if referred.get("optional") is not True:
                    yield f"{pod.name} waits for {secret}, which need not be there"
            elif secret and secret not in allowed:
                yield f"{pod.name}: {each['name']} is from the secret of {secret}"
        for name, volume in _secret_volumes(pod).items():
            if volume["secretName"] not in allowed:
                yield f"{pod.name}: the volume {name} is the secret of {volume['secretName']}"


def files_of_secrets_are_there_for_their_reader_alone(
    manifests: Sequence[Manifest],
) -> Iterator[str]:
    """A file that a setting names is one of a mounted secret, which nobody writes or else reads."""
    for pod, container in _ours(manifests):
        volumes = _secret_volumes(pod)
        mounts = {
            mount["mountPath"]: (mount, volumes[mount["name"]])
            for mount in container.get("volumeMounts", [])
            if mount["name"] in volumes
        }
        files = {
            f"{path}/{item['path']}"
            for path, (_, volume) in mounts.items()
            for item in volume.get("items", [])
        }
        for each in container.get("env", []):
            if each.get("value", "").startswith("/") and each["value"] not in files:
                yield f"{pod.name}: {each['name']} names a file that no secret has"
        for path, (mount, volume) in mounts.items():
            if mount.get("readOnly") is not True:
                yield f"{pod.name} may write to {path}"
            if volume.get("defaultMode", 0o644) & 0o007:
                yield f"{pod.name}: anybody may read {path}"
            if not pod.spec["securityContext"].get("fsGroup"):
                yield f"{pod.name} can't read {path}, which is root's"


def _secret_volumes(pod: Pod) -> dict[str, dict[str, Any]]:
    return {
        volume["name"]: volume["secret"]
        for volume in pod.spec.get("volumes", [])
        if "secret" in volume
    }


def _ours(manifests: Sequence[Manifest]) -> Iterator[tuple[Pod, dict[str, Any]]]:
    for pod in pods(manifests):
        for container in pod.containers:
            if image_of(container).startswith("comanda/"):
                yield pod, container


def _environment(
    container: Mapping[str, Any], maps: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """What the program would find there; a secret that is no secret setting stays a reference."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps.get(source.get("configMapRef", {}).get("name"), {})
    for each in container.get("env", []):
        found[each["name"]] = each.get("value") or GIVEN_BY_A_SECRET.get(each["name"], "secret")
    return found
