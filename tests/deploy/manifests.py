"""The Kubernetes manifests as they would be applied, and what Kubernetes would say to them."""

import json
import subprocess
import sys
from copy import deepcopy
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from referencing import Registry, Resource

from tests.support.starting import must_be_allowed

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"

VERSIONS = ("1.33", "1.37")
"""The oldest and the newest Kubernetes that the manifests are for."""

CUSTOM = {
    ("cert-manager.io/v1", "Certificate"),
    ("cert-manager.io/v1", "Issuer"),
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
    ("mongodbcommunity.mongodb.com/v1", "MongoDBCommunity"),
    ("postgresql.cnpg.io/v1", "Cluster"),
}
"""Kinds that operators bring. Kubernetes has no schema of them: only our own rules look at them."""

CLUSTER_WIDE = {"Namespace"}
"""Kinds of ours that are in no namespace."""

Manifest = dict[str, Any]


def folders() -> list[Path]:
    """Every folder that `kubectl apply -k` is meant for."""
    found = sorted(
        each.parent
        for each in KUBERNETES.rglob("kustomization.yaml")
        if each.parent.parent.name != "sizes"
    )
    assert found
    return found


def render(folder: Path) -> list[Manifest]:
    """What `kubectl apply -k folder` would send: objects of the caller's own."""
    must_be_allowed("kubectl")
    return deepcopy(_rendered(folder))


@cache  # in a test run no manifest changes
def _rendered(folder: Path) -> list[Manifest]:
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.load_all(done.stdout, yaml.CSafeLoader) if each]


def named(manifest: Manifest) -> str:
    """Such as `Deployment/query`."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def schema_error(manifest: Manifest, version: str) -> str | None:
    """Why Kubernetes of this version would refuse it: an unknown field or kind, a wrong type."""
    api, kind = manifest["apiVersion"], manifest["kind"]
    if (api, kind) in CUSTOM:
        return None
    group, _, number = api.rpartition("/")
    name = "-".join(part for part in (kind.lower(), group.partition(".")[0], number) if part)
    try:
        schema = _schema(version, name)
    except FileNotFoundError:
        return f"{named(manifest)}: Kubernetes {version} has no {kind} in {api}"
    validator = jsonschema.Draft202012Validator(schema, registry=_definitions(version))
    for error in validator.iter_errors(manifest):
        return f"{named(manifest)}: {'.'.join(map(str, error.path))}: {error.message}"
    return None


@cache
def _schema(version: str, name: str) -> Any:
    """One schema of those that the package kubernetes-validate ships, of the strict ones."""
    schemas = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    return json.loads((schemas / f"{name}.json").read_text())


@cache
def _definitions(version: str) -> Registry[Any]:
    """What the schemas refer to. Read once: it is some megabytes."""
    return Resource.from_contents(_schema(version, "_definitions")) @ Registry()
