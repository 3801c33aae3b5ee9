"""The Kubernetes manifests as they would be applied, and what Kubernetes would say to them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"

VERSIONS = ("1.33", "1.37")
"""The oldest and the newest Kubernetes that the manifests are for."""

CUSTOM = {
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("mongodbcommunity.mongodb.com/v1", "MongoDBCommunity"),
    ("postgresql.cnpg.io/v1", "Cluster"),
}
"""Kinds that operators bring. Kubernetes has no schema of them: only our own rules look at them."""

Manifest = dict[str, Any]


def folders() -> list[Path]:
    """Every folder that `kubectl apply -k` is meant for."""
    found = sorted(each.parent for each in KUBERNETES.rglob("kustomization.yaml"))
    assert found
    return found


def render(folder: Path) -> list[Manifest]:
    """What `kubectl apply -k folder` would send."""
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def named(manifest: Manifest) -> str:
    """Such as `Deployment/query`."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def schema_error(manifest: Manifest, version: str) -> str | None:
    """Why Kubernetes of this version would refuse it: an unknown field or kind, a wrong type."""
    if (manifest["apiVersion"], manifest["kind"]) in CUSTOM:
        return None
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{named(manifest)}: {'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return f"{named(manifest)}: {error.message}"
    return None
