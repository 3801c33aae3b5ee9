"""Stands for kubectl on an empty cluster, whose objects are in the file that CLUSTER names.

It knows the commands that a guide has before there are pods, and refuses what the API server would:
an object in a namespace that is not there, and one that is to be created and is.
"""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.manifests import CLUSTER_WIDE, Manifest, render

REAL = Path(sys.executable).with_name("kubectl")
STATE = Path(os.environ["CLUSTER"])


def main(arguments: list[str]) -> None:
    if arguments[:2] == ["patch", "--local"]:
        sys.exit(subprocess.run([REAL, *arguments], check=False).returncode)
    before = STATE.read_text()
    cluster: dict[str, Manifest] = json.loads(before)
    carry_out(arguments, cluster)
    after = json.dumps(cluster)
    if after != before:  # several of us run at once, in a pipe, of which the last one creates
        STATE.with_suffix(".new").write_text(after)
        STATE.with_suffix(".new").replace(STATE)


def carry_out(arguments: list[str], cluster: dict[str, Manifest]) -> None:
    match arguments:
        case ["kustomize", folder]:
            render(Path(folder))
        case ["apply", "-k", folder]:
            put(cluster, render(Path(folder)), anew=False)
        case ["create", "-f", file] if file != "-":
            put(cluster, json.loads(Path(file).read_text())["items"], anew=True)
        case ["create", "secret", "tls", name, "-n", namespace, certificate, key]:
            files = {
                "tls.crt": certificate.removeprefix("--cert="),
                "tls.key": key.removeprefix("--key="),
            }
            put(cluster, [secret(namespace, name, files)], anew=True)
        case ["create", "job", name, "-n", namespace, of, "--dry-run=client", "-o", "yaml"]:
            kind, _, origin = of.removeprefix("--from=").partition("/")
            assert kind == "cronjob"
            print(json.dumps(job_from(cluster[f"CronJob/{namespace}/{origin}"], name)))
        case ["create", "-f", "-"]:
            put(cluster, [yaml.safe_load(sys.stdin)], anew=True)
        case ["logs", "-n", namespace, "-f", job]:
            args = cluster[f"Job/{namespace}/{job.removeprefix('job/')}"]
            print("carried out:", *args["spec"]["template"]["spec"]["containers"][0]["args"])
        case ["label", "namespace", name, label]:
            cluster[f"Namespace//{name}"]["metadata"].setdefault("labels", {}).update(
                [label.split("=")]
            )
        case _:
            sys.exit(f"a cluster without pods: {arguments}")


def put(cluster: dict[str, Manifest], manifests: Iterable[Manifest], *, anew: bool) -> None:
    """Namespaces first, as kubectl sends them."""
    for each in sorted(manifests, key=lambda each: bool(each["kind"] != "Namespace")):
        metadata = each["metadata"]
        namespace = "" if each["kind"] in CLUSTER_WIDE else metadata.get("namespace", "default")
        name = f"{each['kind']}/{namespace}/{metadata['name']}"
        if namespace and f"Namespace//{namespace}" not in cluster:
            sys.exit(f'Error from server (NotFound): namespaces "{namespace}" not found')
        if anew and name in cluster:
            sys.exit(f"Error from server (AlreadyExists): {name} already exists")
        cluster[name] = each


def job_from(cron_job: Manifest, name: str) -> Manifest:
    metadata = {"name": name, "namespace": cron_job["metadata"]["namespace"]}
    template: Manifest = cron_job["spec"]["jobTemplate"]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, **template}


def secret(namespace: str, name: str, files: dict[str, str]) -> dict[str, Any]:
    data = {key: base64.b64encode(Path(file).read_bytes()).decode() for key, file in files.items()}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


if __name__ == "__main__":
    main(sys.argv[1:])
