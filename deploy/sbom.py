"""What a service's image has from others, as a CycloneDX document: each package with its hashes.

It is made from `requirements.lock` and what the installed packages say they need, where they are
installed as the image has them: on Linux. What the base brings is in BuildKit's own list.
"""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from deploy.third_parties import third_parties

ROOT = Path(__file__).parents[1]
LOCKED = re.compile(r"(?ms)^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+) .*?(?<!\\)$")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
PYTHON = {"python_version": "3.13", "python_full_version": "3.13.0"}
"""As the images have it."""


def sbom_of(service: str) -> str:
    """The document of the service's image."""
    lock = {
        canonicalize_name(found["name"]): found
        for found in LOCKED.finditer((ROOT / "requirements.lock").read_text())
    }
    folders = (ROOT / "contracts", ROOT / "shared", ROOT / "services" / service)
    version = tomllib.loads((folders[-1] / "pyproject.toml").read_text())["project"]["version"]
    image = Component(name=f"comanda/{service}", version=version, type=ComponentType.CONTAINER)
    parts = [_part(name, lock[name]) for name in sorted(packages_of(third_parties(folders)))]
    document = Bom(components=parts)
    document.metadata.component = image
    document.register_dependency(image, parts)
    return JsonV1Dot6(document).output_as_string(indent=2)


def _part(name: str, locked: re.Match[str]) -> Component:
    """The package, with the hashes of the files of which any may have been installed."""
    version = locked["version"]
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=each) for each in HASH.findall(locked[0])]
    address = PackageURL("pypi", name=name, version=version)
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(str(address)),
        hashes=hashes,
    )
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=address,
        bom_ref=str(address),
        external_references=[files],
    )


def packages_of(requirements: Iterable[str]) -> set[NormalizedName]:
    """The names of all that these need, and what that needs in turn, in the images' Python."""
    found: set[tuple[NormalizedName, str]] = set()
    pending = [(Requirement(each), "") for each in requirements]
    while pending:
        requirement, extra = pending.pop()
        if requirement.marker and not requirement.marker.evaluate(PYTHON | {"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in found:
                found.add((name, wanted))
                pending += [(Requirement(each), wanted) for each in _needs_of(name)]
    return {name for name, _ in found}


def _needs_of(package: str) -> list[str]:
    try:
        return requires(package) or []
    except PackageNotFoundError:  # which the images alone have, if at all
        return []
