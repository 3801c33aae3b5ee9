"""Images are built from one file each way, in layers that change as seldom as they can."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.third_parties import third_parties
from tests.deploy.builds import image_builds
from tests.deploy.manifests import ROOT
from tests.deploy.programs import PAGES, SERVICES, version_of

DOCKERFILE = (ROOT / "Dockerfile").read_text()
STAGES = dict(re.findall(r"(?ms)^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE))


def test_what_is_baked_is_every_image_at_its_version_with_what_it_is_made_of() -> None:
    builds = image_builds({})

    assert builds.keys() == {*SERVICES, PAGES}
    for name, each in builds.items():
        assert each.target == name in STAGES
        assert each.tags == (f"registry.invalid/comanda/{name}:{version_of(name)}",)
        assert each.args["VERSION"] == version_of(name)
        assert each.args.get("SERVICE") == (None if name == PAGES else name)
        assert each.attestations == ("type=sbom", "type=provenance,mode=max")


def test_an_image_says_of_which_revision_and_where_from_it_is() -> None:
    told = {"REVISION": "5eed", "SOURCE": "https://git.example/comanda", "VERSION": "1.2.3"}

    for each in image_builds(told).values():
        assert each.args.items() >= told.items()
    for stage in ("service", "pages"):
        for label, arg in (("revision", "REVISION"), ("source", "SOURCE"), ("version", "VERSION")):
            assert f'org.opencontainers.image.{label}="${{{arg}}}"' in STAGES[stage]
    assert "ENV COMANDA_REVISION=${REVISION}" in STAGES["service"]


def test_the_base_is_named_by_its_digest() -> None:
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) - STAGES.keys()

    assert bases == {"${PYTHON}"}
    assert re.search(r"(?m)^ARG PYTHON=python:3\.\d+-slim@sha256:[0-9a-f]{64}$", DOCKERFILE)


def test_third_parties_are_apart_from_what_our_code_changes() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+)$", STAGES["third-parties"], re.MULTILINE)
    layers = re.findall(r"^COPY --from=(\S+)", STAGES["service"], re.MULTILINE)

    assert copied[0] == "deploy/third_parties.py ./"
    assert all("/pyproject.toml " in each for each in copied[1:])
    assert layers == ["third-parties", "sources"]
    told_last = STAGES["service"].index("ARG ")
    assert "COPY" not in STAGES["service"][told_last:]  # else each revision makes a layer anew


def test_what_is_downloaded_is_kept_for_the_next_build() -> None:
    for name, stage in STAGES.items():
        commands = re.findall(r"^RUN .*?(?<!\\)$", stage, re.MULTILINE | re.DOTALL)
        for command in commands:
            if re.search(r"pip install", command):
                assert "--mount=type=cache," in command, name


def test_health_is_whether_it_lives() -> None:
    checks = re.findall(r"HEALTHCHECK.*?\n +CMD (.*)", DOCKERFILE)

    assert len(checks) == 1
    assert "/health/live" in checks[0]


def test_what_packages_of_ours_need_of_others_is_listed_once(tmp_path: Path) -> None:
    kit = _package(tmp_path / "kit", '"comanda-contracts", "fastapi", "nats-py[nkeys]"')
    service = _package(tmp_path / "service", '"comanda-kit", "fastapi", "pydantic>=2.12"')

    assert third_parties([kit, service]) == ["fastapi", "nats-py[nkeys]", "pydantic>=2.12"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_needs_no_package_of_ours_that_its_image_does_not_have(service: str) -> None:
    folders = [ROOT / "contracts", ROOT / "shared", ROOT / "services" / service]
    projects = [_project(folder) for folder in folders]

    needed = {each for project in projects for each in project["dependencies"]}

    ours = {each for each in needed if each.startswith("comanda-")}
    assert ours <= {project["name"] for project in projects}


def _project(folder: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return project


def _package(folder: Path, dependencies: str) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(f"[project]\ndependencies = [{dependencies}]\n")
    return folder
