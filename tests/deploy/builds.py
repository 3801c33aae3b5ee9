"""How each image is built, as docker-bake.json says."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.deploy.manifests import ROOT

BAKE_FILE = ROOT / "docker-bake.json"


@dataclass(frozen=True)
class ImageBuild:
    """What one image is made of."""

    target: str
    args: Mapping[str, str]
    tags: tuple[str, ...]
    attestations: tuple[str, ...]


def image_builds(given: Mapping[str, str] = os.environ) -> dict[str, ImageBuild]:
    """The builds by their names, as buildx would bake them in this environment."""
    bake = json.loads(BAKE_FILE.read_text())
    variables = {
        name: given.get(name, variable["default"]) for name, variable in bake["variable"].items()
    }
    targets: dict[str, dict[str, Any]] = bake["target"]
    return {name: _build(targets, name, variables) for name in bake["group"]["default"]["targets"]}


def _build(
    targets: Mapping[str, Mapping[str, Any]], name: str, variables: Mapping[str, str]
) -> ImageBuild:
    own = targets[name]
    every = [*(targets[parent] for parent in own["inherits"]), own]
    args = {arg: text for each in every for arg, text in each.get("args", {}).items()}
    return ImageBuild(
        target=own["target"],
        args={arg: _filled(text, variables) for arg, text in args.items()},
        tags=tuple(_filled(tag, variables) for tag in own["tags"]),
        attestations=tuple(text for each in every for text in each.get("attest", [])),
    )


def _filled(text: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: variables[found[1]], text)
