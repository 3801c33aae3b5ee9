"""Changing keys and passwords: the page's commands do it, as far as one machine goes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from comanda_local.cluster_secrets import Size, new_secrets
from comanda_local.nats_keys import public_half

from tests.deploy.cluster import pods
from tests.deploy.manifests import KUBERNETES, ROOT, render

pytestmark = pytest.mark.programs

TEXT = (ROOT / "docs" / "rotation.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
ELSEWHERE = re.compile(r"^(docker|kubectl) .*$", re.MULTILINE)
"""What needs containers or a cluster."""

KUBECTL = """#!/bin/sh
# keeps what a secret is patched with
case "$1" in patch) cat > "$3.patch" ;; create) cat > /dev/null ;; esac
"""

with_jq = pytest.mark.skipif(
    shutil.which("jq") is None and not os.environ.get("CI"), reason="the page's commands use jq"
)


def block_with(text: str) -> str:
    (found,) = (each for each in BLOCKS if text in each)
    return str(found)


def follow(commands: str, folder: Path) -> None:
    """Carry out what needs this machine alone, in the folder."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", ELSEWHERE.sub("", commands)],
        cwd=folder,
        env={**os.environ, "PATH": path},
        check=True,
        capture_output=True,
    )


def key_ids(jwks: Path) -> list[str]:
    return [each["kid"] for each in json.loads(jwks.read_text())["keys"]]


@with_jq
@pytest.mark.parametrize(
    ("of", "steps"),
    [
        ("", [".access/jwks.json .access/next", "mv .access/next/key.json"]),
        ("guests", [".access/guests/jwks.json .access/next"]),
    ],
)
def test_a_new_key_signs_while_the_old_one_is_believed_for_a_while(
    tmp_path: Path, of: str, steps: list[str]
) -> None:
    folder = tmp_path / ".access" / of
    follow("comanda token --init .access", tmp_path)
    [old] = key_ids(folder / "jwks.json")
    mounted = (folder / "jwks.json").stat().st_ino

    for step in steps:
        follow(block_with(step), tmp_path)

    new = json.loads((folder / "key.json").read_text())["kid"]
    assert new != old
    assert key_ids(folder / "jwks.json") == [old, new]
    assert (folder / "jwks.json").stat().st_ino == mounted
    assert (folder / "key.json").stat().st_mode & 0o777 == 0o600
    assert {each.name for each in (tmp_path / ".access").iterdir()} == {
        *("key.json", "jwks.json", "guests")
    }

    follow("comanda token --init .access", tmp_path)

    assert key_ids(folder / "jwks.json") == [new]


@pytest.mark.parametrize("store", ["POSTGRESQL", "MONGODB_QUERY"])
def test_a_password_is_changed_and_no_other(tmp_path: Path, store: str) -> None:
    file, variable = tmp_path / ".env", f"COMANDA_{store}_PASSWORD"
    before = (ROOT / ".env.example").read_text().replace("=\n", "=pbefore\n")
    file.write_text(before)

    follow(block_with(f"/^{variable}="), tmp_path)

    (changed,) = set(file.read_text().splitlines()) - set(before.splitlines())
    assert re.fullmatch(rf"{variable}=p[0-9a-f]{{32}}", changed)
    assert len(file.read_text().splitlines()) == len(before.splitlines())
    assert file.stat().st_mode & 0o077 == 0


def test_a_services_key_is_changed_and_no_other(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text((ROOT / ".env.example").read_text())
    follow("comanda env", tmp_path)
    file = tmp_path / ".env"
    before = set(file.read_text().splitlines())

    follow(block_with("_SERVING_SEED=/d"), tmp_path)

    changed = set(file.read_text().splitlines()) - before
    assert {line.partition("=")[0] for line in changed} == {
        *("COMANDA_NATS_SERVING_SEED", "COMANDA_NATS_SERVING_NKEY")
    }
    assert file.stat().st_mode & 0o077 == 0


UPGRADE = (KUBERNETES / "README.md").read_text().partition("**Keys on NATS**")[2]


@with_jq
@pytest.mark.parametrize(
    ("text", "given"),
    [
        (UPGRADE, {"ordering", "serving", "query"}),
        (TEXT.partition("## A service's nkey")[2], {"serving"}),
    ],
    ids=["from passwords", "renewed"],
)
def test_each_secret_on_kubernetes_is_given_its_half_and_nothing_else(
    tmp_path: Path, text: str, given: set[str]
) -> None:
    commands = next(
        each for each in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "keys.json" in each
    )
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)

    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        check=True,
        capture_output=True,
    )

    patched = {
        file.stem: json.loads(file.read_text())["stringData"] for file in tmp_path.glob("*.patch")
    }
    assert patched.keys() == {
        "nats",
        *(each for service in given for each in (service, f"{service}-operator")),
    }
    known = patched.pop("nats")
    assert all(each.keys() == {"COMANDA_NATS_SEED"} for each in patched.values())
    halves = {public_half(each["COMANDA_NATS_SEED"].encode()) for each in patched.values()}
    assert halves <= set(known.values())
    assert all(name.endswith("_NKEY") for name in known)
    assert not (tmp_path / "keys.json").exists()


def test_each_secret_and_key_that_is_changed_is_there_as_it_is_made() -> None:
    made = [new_secrets(size) for size in Size]
    changed = re.findall(
        r'patch secret (\S+) .*?\\"stringData\\": {\\"(\w+)\\": \\"(.*?)\\"}', TEXT
    )
    again = re.findall(r"secret generic (\S+) .*?--from-file=([\w.]+)=", TEXT)

    assert len(changed) == 8
    for name, key, value in changed:
        values = [each[name][key] for each in made if key in each.get(name, {})]
        shape = re.escape(value).replace(re.escape("$PASSWORD"), "p[0-9a-f]{32}")
        assert any(re.fullmatch(shape, each) for each in values), (name, key)
    assert again
    assert all(key in each[name] for name, key in again for each in made)


def test_what_is_begun_anew_is_there() -> None:
    names = {pod.name.lower() for size in Size for pod in _pods(size)}
    restarted = set(re.findall(r"rollout restart (\S+)", TEXT))
    recreated = {
        name
        for words in re.findall(r"docker compose up -d --\S+ ?(.*)", TEXT)
        for name in words.split()
        if not name.startswith("-")
    }

    assert restarted
    assert restarted | {f"job/{each}" for each in re.findall(r"delete job (\S+)", TEXT)} <= names
    assert recreated
    assert recreated <= COMPOSE["services"].keys()


def _pods(size: Size) -> list[Any]:
    return pods(render(KUBERNETES / "overlays" / size))
