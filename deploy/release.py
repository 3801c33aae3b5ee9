"""Releases the images: builds and sends them, names them by digest, says what is in them.

    python -m deploy.release build --registry registry.example/comanda --source https://git.example
    python -m deploy.release manifests production release   # then: kubectl apply -k release
    python -m deploy.release sbom release
    deploy/sign.sh release

`base` raises the digest of the images' base in the Dockerfile, for a commit of its own. What is in
the repository has tags; digests are in the folder that is made for a release, which belongs to
whoever applies it. Docker, with buildx, does what needs a registry.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from deploy.sbom import sbom_of

ROOT = Path(__file__).parents[1]
IMAGES = ("ordering", "serving", "query", "pages")
OURS = "registry.invalid/comanda"
"""As the manifests name what is ours, which no registry has."""
BUILT = "images.json"
"""In a release's folder: what buildx says of the images that it sent."""
BASE = re.compile(r"^ARG PYTHON=(?P<image>\S+?)@(?P<digest>sha256:[0-9a-f]{64})$", re.MULTILINE)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="folder of the release")]


class CannotRelease(Exception):
    """The release can't be made; the text says why."""


@app.command()
def build(
    folder: Folder = Path("release"),
    registry: str = typer.Option(help="where the images go, such as registry.example/comanda"),
    source: str = typer.Option(help="where their source is, for a label"),
) -> None:
    """Build every image from what is committed, and send it."""
    if changes := _said_by("git", "status", "--porcelain"):
        raise CannotRelease(f"not everything is committed:\n{changes}")
    told = {
        "REGISTRY": registry,
        "SOURCE": source,
        "REVISION": _said_by("git", "rev-parse", "HEAD"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    command = ["docker", "buildx", "bake", "--push", "--metadata-file", str(folder / BUILT)]
    subprocess.run(command, cwd=ROOT, env=os.environ | told, check=True)


@app.command()
def manifests(size: str, folder: Folder = Path("release")) -> None:
    """Write a kustomization over the overlay of this size that names each image by its digest."""
    overlay = ROOT / "deploy" / "kubernetes" / "overlays" / size
    rendered = _said_by("kubectl", "kustomize", str(overlay))
    others = sorted(images_in(yaml.safe_load_all(rendered)))
    images = [
        *named_by_digest(json.loads((folder / BUILT).read_text())),
        *({"name": _name(each), "digest": digest_of(each)} for each in others),
    ]
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(overlay, folder.resolve())],
        "images": images,
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization, sort_keys=False))


@app.command()
def sbom(folder: Folder = Path("release")) -> None:
    """Write what each service's image has from others, as CycloneDX has it."""
    folder.mkdir(parents=True, exist_ok=True)
    for service in IMAGES[:-1]:
        (folder / f"{service}.cdx.json").write_text(sbom_of(service))


@app.command()
def base() -> None:
    """Raise the base's digest in the Dockerfile to what its tag has now."""
    dockerfile = ROOT / "Dockerfile"
    raised = with_base_raised(dockerfile.read_text(), digest_of)
    dockerfile.write_text(raised)


def with_base_raised(dockerfile: str, digest_of: Callable[[str], str]) -> str:
    """The Dockerfile with the digest that its base's tag has. Raises CannotRelease without one."""
    found = BASE.search(dockerfile)
    if found is None:
        raise CannotRelease("the Dockerfile names no base by a digest")
    digest = digest_of(found["image"])
    return dockerfile[: found.start("digest")] + digest + dockerfile[found.end("digest") :]


def named_by_digest(built: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Kustomize's `images` of what buildx says that it sent. Raises CannotRelease if one lacks."""
    if missing := [name for name in IMAGES if "containerimage.digest" not in built.get(name, {})]:
        raise CannotRelease(f"not built: {', '.join(missing)}")
    return [
        {
            "name": f"{OURS}/{name}",
            "newName": _name(built[name]["image.name"]),
            "digest": built[name]["containerimage.digest"],
        }
        for name in IMAGES
    ]


def images_in(manifest: Any) -> set[str]:
    """Every image of a container's that is not ours, however deep in what was rendered."""
    match manifest:
        case {"image": str(image), "name": str(), **rest}:
            return ({image} if not image.startswith(OURS) else set()) | images_in(rest)
        case dict():
            return images_in(list(manifest.values()))
        case str() | int() | float() | None:
            return set()
        case _:
            return {image for each in manifest for image in images_in(each)}


def digest_of(image: str) -> str:
    """What the registry has by this tag. Raises CannotRelease if that is no digest."""
    digest = _said_by(
        "docker", "buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}"
    )
    if not DIGEST.fullmatch(digest):
        raise CannotRelease(f"of {image} the registry says {digest!r}, which is no digest")
    return digest


def _name(image: str) -> str:
    """The image without its tag."""
    path, _, last = image.rpartition("/")
    return "/".join(part for part in (path, last.partition(":")[0]) if part)


def _said_by(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRelease(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    try:
        app()
    except CannotRelease as error:
        sys.exit(str(error))
