"""The files that are generated from the models: schemas, AsyncAPI document, catalogue."""

import json
from pathlib import Path
from typing import Any

import yaml

from contract_release.asyncapi import document
from contract_release.catalogue import catalogue
from contract_release.contract import Json
from contract_release.schemas import schemas

FOLDER = Path(__file__).parents[2]


def generated(contract: Json) -> dict[Path, str]:
    """What the committed files should hold."""
    files = {
        FOLDER / "schemas" / f"{name}.json": as_json(schema)
        for name, schema in schemas(contract).items()
    }
    files[FOLDER / "events.md"] = catalogue(contract)
    return files | {FOLDER / "asyncapi.yaml": _as_yaml(document(contract))}


def stale(contract: Json) -> list[Path]:
    """Files that are missing, not as they should be, or no longer generated."""
    wanted = generated(contract)
    wrong = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    left_over = set((FOLDER / "schemas").glob("*.json")) - wanted.keys()
    return sorted([*wrong, *left_over])


def write(contract: Json) -> None:
    """Bring every file up to date."""
    for path in stale(contract):
        path.unlink(missing_ok=True)
    for path, text in generated(contract).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def as_json(content: Any) -> str:
    """JSON for people to read too."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


class _Dumper(yaml.SafeDumper):
    """Writes everything out, and texts of several lines as they are."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _as_yaml(content: Json) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
