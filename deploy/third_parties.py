"""Prints what packages of ours say they need of others: a requirement a line, each once.

    python third_parties.py contracts shared services/ordering

Whoever installs these first, and our packages without what they need afterwards, has our code and
theirs apart. Python's own library alone is asked for, for it runs where nothing is installed yet.
"""

# decision/0075: third parties are a layer of their own

import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

OURS = "comanda-"


def third_parties(folders: Iterable[Path]) -> list[str]:
    """The requirements of these packages, without those that are packages of ours."""
    found = {
        requirement
        for folder in folders
        for requirement in _project(folder).get("dependencies", [])
        if not requirement.startswith(OURS)
    }
    return sorted(found)


def _project(folder: Path) -> dict[str, list[str]]:
    project: dict[str, list[str]] = tomllib.loads((folder / "pyproject.toml").read_text())[
        "project"
    ]
    return project


if __name__ == "__main__":
    print("\n".join(third_parties(Path(each) for each in sys.argv[1:])))
