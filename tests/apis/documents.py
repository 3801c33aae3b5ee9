"""`python -m tests.apis.documents generate` or `publish`: the OpenAPI documents as files.

`generate` writes them to `docs/api`. `publish` keeps them as those of this release, against which
all later changes are checked.
"""

import json
import os
import sys
from pathlib import Path

from tests.support.openapi import APPS, Json, document_of

FOLDER = Path(__file__).parents[2] / "docs" / "api"
PUBLISHED = FOLDER / "published"


def generated() -> dict[Path, str]:
    """What the committed files should hold."""
    return {FOLDER / f"{service}.json": as_text(document_of(service)) for service in APPS}


def as_text(document: Json) -> str:
    """JSON for people to read too."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def released() -> Path:
    """The folder of the last release's documents."""
    return max(PUBLISHED.iterdir(), key=lambda each: [int(n) for n in each.name.split(".")])


def main(command: str) -> int:
    """Run one command. Returns its exit code."""
    os.environ.setdefault("COMANDA_JWKS", "none.json")
    os.environ.setdefault("COMANDA_ISSUER", "https://none.invalid/")
    if command not in ("generate", "publish"):
        print(__doc__)
        return 2
    version = document_of("ordering")["info"]["version"]
    for path, text in generated().items():
        path.write_text(text)
        if command == "publish":
            kept = PUBLISHED / version / path.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main("".join(sys.argv[1:])))
