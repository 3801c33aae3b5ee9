"""The guide to Kubernetes, followed on an empty cluster: each secret is there, and fits."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from comanda_local.cluster_secrets import CLIENTS, Size, new_secrets, write_secrets
from comanda_local.nats_keys import public_half
from comanda_local.servers.nats import key_variable

from tests.deploy.cluster import SecretKey, pods, secret_keys, secret_keys_of_values
from tests.deploy.manifests import KUBERNETES, ROOT, Manifest, render

GUIDE = (KUBERNETES / "README.md").read_text()
VALUES = KUBERNETES / "overlays" / "production" / "nats-values.yaml"
SECRETS_FILE = "comanda-secrets.json"
KUBECTL = f"""#!/bin/sh
echo "$*" >> "$CLUSTER.commands"
exec {sys.executable} -m tests.deploy.kubectl "$@"
"""
HELM = """#!/bin/sh
echo "helm $*" >> "$CLUSTER.commands"
"""


@dataclass
class Trial:
    """Follows commands of the guide, from the repository's root, on a cluster of its own."""

    folder: Path
    size: Size
    said: str = field(default="", init=False)

    def __post_init__(self) -> None:
        there = ("default", "kube-system", "ingress-nginx", "monitoring", "keycloak")
        self.state.write_text(
            json.dumps({f"Namespace//{each}": {"metadata": {"name": each}} for each in there})
        )
        for program, text in (("kubectl", KUBECTL), ("helm", HELM)):
            file = self.folder / program
            file.write_text(text)
            file.chmod(0o755)
        for each in ("tls.crt", "tls.key"):
            (self.folder / each).write_text(each)

    @property
    def state(self) -> Path:
        return self.folder / "cluster.json"

    def follow(self, commands: str) -> "subprocess.CompletedProcess[str]":
        """Let bash carry the commands out, in files of the trial's folder."""
        here = commands.replace("SIZE=small", f"SIZE={self.size}")
        for file in (SECRETS_FILE, "tls.crt", "tls.key"):
            here = re.sub(rf"(?<![\w/.-]){re.escape(file)}", str(self.folder / file), here)
        programs = (self.folder, Path(sys.executable).parent, os.environ["PATH"])
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", here],
            cwd=ROOT,
            env={
                **os.environ,
                "PATH": os.pathsep.join(map(str, programs)),
                "CLUSTER": str(self.state),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        self.said += done.stdout + done.stderr
        return done

    @property
    def commands(self) -> str:
        return Path(f"{self.state}.commands").read_text()

    @property
    def objects(self) -> list[Manifest]:
        found: dict[str, Manifest] = json.loads(self.state.read_text())
        return [each for each in found.values() if "kind" in each]

    def secrets(self) -> dict[SecretKey, str]:
        return {
            (each["metadata"]["name"], key): value
            for each in self.objects
            if each["kind"] == "Secret"
            for key, value in (each.get("stringData") or each["data"]).items()
        }


def blocks() -> list[str]:
    """The guide's commands from the empty cluster to the services, in order."""
    first = GUIDE[GUIDE.index("## Before the first time") : GUIDE.index("## Upgrade")]
    found = re.findall(r"```sh\n(.*?)```", first, re.DOTALL)
    return [each for each in found if "docker" not in each]


def wanted(size: Size) -> set[SecretKey]:
    """What the manifests of the size look for in secrets, its NATS included."""
    keys = secret_keys(render(KUBERNETES / "overlays" / size))
    if size is Size.PRODUCTION:
        keys |= secret_keys_of_values(yaml.safe_load(VALUES.read_text()))
    return keys


@pytest.fixture(params=list(Size))
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Trial:
    return Trial(tmp_path, request.param)


@pytest.mark.programs
def test_an_empty_cluster_is_brought_up_by_the_guide_in_its_order(trial: Trial) -> None:
    for block in blocks():
        done = trial.follow(block)
        assert done.returncode == 0, done.stderr

    secrets = trial.secrets()
    clients = {key for key in secrets if key[0] == CLIENTS}
    assert secrets.keys() - clients == wanted(trial.size)
    assert {file for _, file in clients} == {
        *("notifier.nk", "wallboard.nk", "till-la-piazza-1.nk")
    }
    passwords = {value for value in secrets.values() if re.fullmatch("p[0-9a-f]{32}", value)}
    assert passwords
    assert not [word for word in passwords if word in trial.said + trial.commands]
    assert not (trial.folder / SECRETS_FILE).exists()


@pytest.mark.programs
def test_secrets_that_are_there_are_not_made_anew(trial: Trial) -> None:
    block = next(each for each in blocks() if SECRETS_FILE in each)
    assert trial.follow(block).returncode == 0
    before = trial.secrets()

    again = trial.follow(block)

    assert again.returncode != 0
    assert trial.secrets() == before


def test_a_file_of_secrets_is_its_owners_and_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / SECRETS_FILE
    write_secrets(new_secrets(Size.SMALL), file)
    before = file.read_text()

    with pytest.raises(FileExistsError):
        write_secrets(new_secrets(Size.SMALL), file)

    assert file.read_text() == before
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("size", Size)
def test_whoever_connects_has_the_password_that_the_store_has(size: Size) -> None:
    secrets = new_secrets(size)
    stores = {
        "ordering": {"small": ("postgresql", "ORDERING_PASSWORD")},
        "query": {"small": ("mongodb", "MONGODB_QUERY_PASSWORD")},
    }
    stores["ordering"]["production"] = ("postgresql-ordering", "password")
    stores["ordering-migrator"] = {
        "small": ("postgresql", "ORDERING_MIGRATOR_PASSWORD"),
        "production": ("postgresql-ordering-migrator", "password"),
    }
    stores["query"]["production"] = ("mongodb-query", "password")
    stores["query-projector"] = {
        "small": ("mongodb", "MONGODB_QUERY_PROJECTOR_PASSWORD"),
        "production": ("mongodb-query-projector", "password"),
    }

    for name, values in secrets.items():
        for variable, url in values.items():
            if not variable.endswith("_URL"):
                continue
            login = urlsplit(url)
            assert login.username
            if login.scheme == "nats":
                assert login.username == name
                assert login.password is None
                known = secrets["nats"][key_variable(name)]
                assert known == public_half(values["COMANDA_NATS_SEED"].encode())
            else:
                store, key = stores[name][size]
                assert login.password == secrets[store][key]


@pytest.mark.parametrize("size", Size)
def test_nats_has_no_seed_and_no_seed_is_in_two_secrets(size: Size) -> None:
    secrets = new_secrets(size)
    seeds = [value for each in secrets.values() for value in each.values() if value[:2] == "SU"]

    assert len(seeds) == len(set(seeds)) == 9
    assert not [value for value in secrets["nats"].values() if value in seeds]
    assert {public_half(seed.encode()) for seed in seeds} == {
        value for name, value in secrets["nats"].items() if name.endswith("_NKEY")
    }


@pytest.mark.parametrize("size", Size)
def test_ordering_has_the_private_half_of_the_guests_key_and_query_the_public_one(
    size: Size,
) -> None:
    secrets = new_secrets(size)
    private = json.loads(secrets["ordering-guests"]["key.json"])
    (public,) = json.loads(secrets["query-guests"]["jwks.json"])["keys"]

    assert public == {name: value for name, value in private.items() if name != "d"}
    assert private["d"]
    assert [name for name, each in secrets.items() if private["d"] in str(each)] == [
        "ordering-guests"
    ]


@pytest.mark.parametrize("size", Size)
def test_no_password_is_used_twice(size: Size) -> None:
    values = [
        value
        for name, each in new_secrets(size).items()
        for key, value in each.items()
        if not key.endswith("_URL") and key != "username"
    ]

    assert len(values) == len(set(values))


@pytest.mark.programs
def test_the_small_cluster_has_the_superuser_of_postgresql_for_itself() -> None:
    (store,) = pods(render(KUBERNETES / "stores" / "postgresql"))
    environment = {each["name"]: each.get("value") for each in store.containers[0]["env"]}
    login = urlsplit(new_secrets(Size.SMALL)["ordering"]["COMANDA_DATABASE_URL"])

    assert login.username != environment.get("POSTGRES_USER", "postgres")
    assert "ORDERING_PASSWORD" in environment
    assert "/docker-entrypoint-initdb.d" in {
        each["mountPath"] for each in store.containers[0]["volumeMounts"]
    }


@pytest.mark.programs
def test_the_chart_of_nats_is_named_with_its_version(tmp_path: Path) -> None:
    trial = Trial(tmp_path, Size.PRODUCTION)
    for block in blocks():
        trial.follow(block)

    (installed,) = re.findall(r"helm upgrade --install (.*)", trial.commands)
    assert re.search(r"--version \d+\.\d+\.\d+ ", installed)
    assert installed.split(" -n ")[0] in VALUES.read_text()


@pytest.mark.programs
@pytest.mark.parametrize("service", ["ordering", "serving", "query"])
def test_an_operators_command_is_run_as_a_job_of_its_own(service: str, tmp_path: Path) -> None:
    trial = Trial(tmp_path, Size.SMALL)
    there = render(KUBERNETES / service / "small")
    state = json.loads(trial.state.read_text()) | {"Namespace//comanda": {}}
    state |= {f"{each['kind']}/comanda/{each['metadata']['name']}": each for each in there}
    trial.state.write_text(json.dumps(state))

    done = trial.follow(f'deploy/kubernetes/operate.sh {service} dead-letters replay 7 "--all"')

    assert done.returncode == 0, done.stderr
    assert done.stdout == "carried out: dead-letters replay 7 --all\n"
    (made,) = [
        each for each in trial.objects if each["metadata"]["name"].startswith(f"{service}-1")
    ]
    ((_, secret),) = {
        (each["name"], each["valueFrom"]["secretKeyRef"]["name"])
        for each in made["spec"]["template"]["spec"]["containers"][0]["env"]
        if each["name"] == "COMANDA_NATS_URL"
    }
    assert secret == f"{service}-operator"
