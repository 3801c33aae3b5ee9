"""Docker Compose starts all of Comanda: in order, apart from one another, with given passwords."""

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from comanda_local import access

from tests.deploy.builds import image_builds
from tests.deploy.manifests import ROOT
from tests.deploy.programs import PAGES, PROGRAMS, SERVICES, complaints, version_of
from tests.deploy.test_nats import passwords

pytestmark = pytest.mark.programs

FILE = ROOT / "docker-compose.yml"
ONCE = {
    *("ordering-migration", "mongodb-set-up", "nats-volume", "guests-key"),
    *(f"{service}-set-up" for service in SERVICES),
}
"""What ends by itself, before others begin."""

UNRESOLVABLE = "registry.invalid/comanda/"
"""No registry has it (RFC 2606), so that an image of ours is never somebody else's."""
JWKS = "/etc/comanda/jwks.json"
KEYS = "/etc/comanda/guests"
MADE_KEY = "/made/key.json"
GUESTS_JWKS = "/etc/comanda/guests-jwks.json"
STORES = ("postgresql", "mongodb", "nats")
NO_DIGITS = str.maketrans("0189", "2345")
CLIENTS_SEEDS = {
    f"COMANDA_NATS_{client}_SEED" for client in ("NOTIFIER", "WALLBOARD", "TILL_LA_PIAZZA_1")
}
"""Of teams and tills, whom they are handed to: no container is given one."""

Services = dict[str, dict[str, Any]]


def compose(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The file as Docker Compose reads it."""
    program = Path(sys.executable).with_name("docker-compose")
    clean = {name: value for name, value in os.environ.items() if "COMANDA_" not in name}
    return subprocess.run(
        [program, "--env-file", os.devnull, "-f", FILE, "config", "--format", "json"],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def variables() -> list[str]:
    return re.findall(r"^([A-Z0-9_]+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE)


def given() -> dict[str, str]:
    """A value for each, as different as they are."""
    seed = f"SU{'A' * 24}"
    return {
        name: f"{seed}{secrets.token_hex(16).upper().translate(NO_DIGITS)}"
        if name.endswith("_SEED")
        else secrets.token_hex(8)
        for name in variables()
    }


@pytest.fixture(scope="module")
def services() -> Services:
    done = compose(given())
    assert done.returncode == 0, done.stderr
    found: Services = json.loads(done.stdout)["services"]
    return found


def ours(services: Services) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in services.items() if each["image"].startswith(UNRESOLVABLE)}


def test_every_password_must_be_given() -> None:
    everything = given()

    assert everything
    assert everything.keys() >= CLIENTS_SEEDS
    for missing in everything:
        done = compose({name: value for name, value in everything.items() if name != missing})
        assert (done.returncode == 0) is (missing in CLIENTS_SEEDS)
        assert done.returncode == 0 or missing in done.stderr


def test_our_containers_are_given_their_settings(services: Services) -> None:
    assert {each["image"].split("/")[2].split(":")[0] for each in ours(services).values()} == {
        *SERVICES,
        PAGES,
    }
    for each in ours(services).values():
        service, version = each["image"].removeprefix(UNRESOLVABLE).split(":")
        program = (service, *(each["command"] or []))
        assert version == version_of(service)
        assert complaints(PROGRAMS[program], each["environment"]) == []


def test_our_containers_are_restricted(services: Services) -> None:
    for each in ours(services).values():
        assert each["read_only"]
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert "user" not in each  # the image's own, which is not root


def test_who_audits_has_room_for_its_notes_on_disk(services: Services) -> None:
    assert mounts(services["query"])["/tmp"]["type"] == "volume"


def test_who_serves_believes_the_key_that_the_guide_makes(services: Services) -> None:
    for name, each in ours(services).items():
        volumes = {volume["target"]: volume for volume in each.get("volumes", [])}
        told = each["environment"].get("COMANDA_JWKS")

        needs_none = name == PAGES or name in ONCE or name.endswith("-operator")
        assert told == (None if needs_none else JWKS)
        if told:
            assert volumes[told]["source"] == str(ROOT / ".access" / "jwks.json")
            assert volumes[told]["read_only"]
            assert each["environment"]["COMANDA_ISSUER"] == access.ISSUER


def test_each_service_has_its_half_of_the_guests_key_and_no_other(services: Services) -> None:
    made = ROOT / ".access" / "guests"
    private = {name for name, each in services.items() if mounts(each).keys() & {KEYS, MADE_KEY}}
    public = {name for name, each in services.items() if GUESTS_JWKS in mounts(each)}
    told = {
        name: each["environment"][setting]
        for name, each in ours(services).items()
        for setting in ("COMANDA_GUEST_KEY", "COMANDA_GUEST_JWKS")
        if setting in each["environment"]
    }

    assert (private, public) == ({"guests-key", "ordering"}, {"query"})
    assert told == {"ordering": f"{KEYS}/key.json", "query": GUESTS_JWKS}
    assert mounts(services["query"])[GUESTS_JWKS]["source"] == str(made / "jwks.json")
    assert mounts(services["guests-key"])[MADE_KEY]["source"] == str(made / "key.json")
    assert mounts(services["ordering"])[KEYS]["source"] == "guests-key"
    for reader, file in (("ordering", KEYS), ("query", GUESTS_JWKS), ("guests-key", MADE_KEY)):
        assert mounts(services[reader])[file]["read_only"]


def test_the_guests_key_is_for_the_user_of_orderings_image_alone(services: Services) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    (user,) = re.findall(r"^USER (\d+)", dockerfile, re.MULTILINE)
    copier = services["guests-key"]

    assert copier["entrypoint"] == [
        *("install", "-o", user, "-g", user, "-m", "0400", MADE_KEY, f"{KEYS}/key.json")
    ]
    assert copier["network_mode"] == "none"
    assert "guests-key" in services["ordering"]["depends_on"]


def mounts(service: dict[str, Any]) -> dict[str, Any]:
    return {each["target"]: each for each in service.get("volumes", []) if "target" in each}


def test_no_network_joins_a_service_to_another_or_to_a_store_of_another(services: Services) -> None:
    stores = {"ordering": "postgresql", "serving": None, "query": "mongodb"}
    joined = {name: each for name, each in services.items() if "networks" in each and name != PAGES}
    for name, each in ours(services).items():
        if name == PAGES:
            continue
        service = name.partition("-")[0]
        met = {
            other.partition("-")[0]
            for other, that in joined.items()
            if each["networks"].keys() & that["networks"].keys()
        }
        assert met <= {service, "nats", stores[service]}


def test_the_pages_host_reaches_each_service_and_no_store(services: Services) -> None:
    host = services[PAGES]
    met = {
        name
        for name, each in services.items()
        if name != PAGES and host["networks"].keys() & each.get("networks", {}).keys()
    }

    assert met == {*SERVICES}
    for name in SERVICES:
        assert host["environment"][f"COMANDA_{name.upper()}_URL"] == f"http://{name}:8000"
        assert services[name]["environment"]["COMANDA_GATEWAY_PREFIXES"] == f"/{name}"


def test_nats_is_given_every_password_and_no_seed(services: Services) -> None:
    assert services["nats"]["environment"].keys() - {"GOMEMLIMIT"} == passwords()
    assert not [name for name in passwords() if name.endswith("_SEED")]


def test_each_container_is_given_its_own_users_seed_and_no_other(services: Services) -> None:
    everything = given()
    done = compose(everything)
    found: Services = json.loads(done.stdout)["services"]

    for each in ours(found).values():
        if url := each["environment"].get("COMANDA_NATS_URL"):
            user = str(urlsplit(url).username).upper().replace("-", "_")
            assert urlsplit(url).password is None
            assert (
                each["environment"]["COMANDA_NATS_SEED"] == everything[f"COMANDA_NATS_{user}_SEED"]
            )


def test_no_service_is_an_operator_unless_it_is_told_to() -> None:
    everything = given()

    untold = json.loads(compose(everything).stdout)["services"]
    told = json.loads(compose(everything | {"COMANDA_OPERATE": "yes"}).stdout)["services"]

    for name in SERVICES:
        user, seed = (
            f"nats://{name}-operator@nats:4222",
            f"COMANDA_NATS_{name.upper()}_OPERATOR_SEED",
        )
        assert operating(untold[name]) == ("", "")
        assert operating(told[name]) == (user, everything[seed])
    assert [name for name, each in told.items() if any(operating(each))] == sorted(SERVICES)
    writes = "COMANDA_OPERATOR_MONGODB_URL"
    assert untold["query"]["environment"][writes] == ""
    assert (
        told["query"]["environment"][writes]
        == (told["query-projector"]["environment"]["COMANDA_MONGODB_URL"])
    )


def operating(service: dict[str, Any]) -> tuple[str, str]:
    """As whom, and by which seed, it does what /v1/operate is asked for."""
    environment = service.get("environment", {})
    url = environment.get("COMANDA_OPERATOR_NATS_URL", "")
    return url, environment.get("COMANDA_OPERATOR_NATS_SEED", "")


def test_each_begins_once_what_it_needs_is_there(services: Services) -> None:
    for each in services.values():
        for needed, condition in each.get("depends_on", {}).items():
            ends = needed in ONCE
            wanted = "service_completed_successfully" if ends else "service_healthy"
            assert condition["condition"] == wanted
            assert ends or needed in ours(services) or "healthcheck" in services[needed]
    assert "ordering-migration" in services["ordering"]["depends_on"]
    for name, each in ours(services).items():
        needs_none = name == PAGES or name in ONCE
        assert needs_none or f"{name.partition('-')[0]}-set-up" in each["depends_on"]
    assert "mongodb-set-up" in services["query-projector"]["depends_on"]
    assert services["query-set-up"]["command"] == ["set-up"]


def test_what_is_stored_stays(services: Services) -> None:
    for store in STORES:
        kinds = {volume["type"] for volume in services[store]["volumes"]}
        assert "volume" in kinds


def test_no_volume_without_a_name_is_left_behind(services: Services) -> None:
    """A volume that an image declares gets one, unless something else is mounted there."""
    declared = {
        "postgres": {"/var/lib/postgresql"},
        "mongo": {"/data/db", "/data/configdb"},
    }
    for each in services.values():
        mounted = {volume["target"] for volume in each.get("volumes", []) if volume.get("source")}
        wanted = declared.get(each["image"].partition(":")[0], set())
        assert wanted <= mounted | set(each.get("tmpfs", []))


def test_images_of_ours_are_built_as_releases_are_and_never_pulled(services: Services) -> None:
    baked = image_builds()
    for each in ours(services).values():
        name = each["image"].removeprefix(UNRESOLVABLE).partition(":")[0]
        build = each["build"]
        assert (build["context"], build["dockerfile"]) == (str(ROOT), "Dockerfile")
        assert build["target"] == baked[name].target
        assert build["args"] == {
            arg: text for arg, text in baked[name].args.items() if arg != "SOURCE"
        }
        assert each["pull_policy"] == "build"


def test_an_image_can_be_told_its_revision() -> None:
    told = json.loads(compose(given() | {"COMANDA_REVISION": "5eed"}).stdout)["services"]

    for each in ours(told).values():
        assert each["build"]["args"]["REVISION"] == "5eed"


def test_no_container_fills_the_disk_with_its_log_or_the_machine_with_processes(
    services: Services,
) -> None:
    for name, each in services.items():
        options = each["logging"]["options"]
        assert options.keys() == {"max-size", "max-file"}, name
        assert 0 < int(each["pids_limit"]) <= 512


def test_ports_are_of_this_machine_alone_and_by_setting(services: Services) -> None:
    usual = {name: [each["published"] for each in its] for name, its in ports(services).items()}
    others = {
        f"COMANDA_{name.upper()}_PORT": str(int(port) + 10_000) for name, (port,) in usual.items()
    }

    moved = ports(json.loads(compose(given() | others).stdout)["services"])

    assert usual == {
        "ordering": ["8001"],
        "serving": ["8002"],
        "query": ["8003"],
        "pages": ["8000"],
        "nats": ["4222"],
    }
    for name, (port,) in moved.items():
        assert port["host_ip"] == "127.0.0.1"
        assert int(port["published"]) == int(usual[name][0]) + 10_000


def ports(services: Services) -> dict[str, list[dict[str, Any]]]:
    return {name: each["ports"] for name, each in services.items() if "ports" in each}


def test_stores_are_guarded_as_services_are(services: Services) -> None:
    for name, each in services.items():
        assert each["read_only"], name
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert int(each["mem_limit"]) > 0
    may = {name: set(each.get("cap_add", [])) for name, each in services.items()}
    assert {name: capabilities for name, capabilities in may.items() if capabilities} == {
        "postgresql": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
        "nats-volume": {"CHOWN", "DAC_OVERRIDE"},
        "guests-key": {"CHOWN", "DAC_OVERRIDE", "FOWNER"},
    }
    assert services["nats"]["user"] == "1000:1000"


def test_the_networks_of_stores_lead_nowhere_else() -> None:
    done = compose(given())
    networks = json.loads(done.stdout)["networks"]

    assert {name for name, each in networks.items() if each.get("internal")} == {
        "orders-store",
        "views-store",
    }


def test_nobody_but_its_health_check_reaches_the_monitor_of_nats(services: Services) -> None:
    nats = services["nats"]
    (file,) = (each for each in nats["command"] if each.endswith(".conf"))
    text = (ROOT / "deploy" / "nats" / Path(file).name).read_text()

    assert re.findall(r"^http: (.*)$", text, re.MULTILINE) == ['"127.0.0.1:8222"']
    assert "http" not in (ROOT / "deploy" / "nats" / "nats.conf").read_text()


def test_no_service_is_the_superuser_of_its_store(services: Services) -> None:
    orders, views = services["postgresql"]["environment"], services["mongodb"]["environment"]
    database_url = services["ordering"]["environment"]["COMANDA_DATABASE_URL"]
    mongodb_url = services["query"]["environment"]["COMANDA_MONGODB_URL"]

    assert urlsplit(database_url).username != orders.get("POSTGRES_USER", "postgres")
    assert urlsplit(database_url).password == orders["ORDERING_PASSWORD"]
    migrator_url = services["ordering-migration"]["environment"]["COMANDA_DATABASE_URL"]
    assert urlsplit(migrator_url).username == "ordering_migrator"
    assert urlsplit(migrator_url).password == orders["ORDERING_MIGRATOR_PASSWORD"]
    assert orders["POSTGRES_PASSWORD"] != orders["ORDERING_PASSWORD"]
    assert urlsplit(mongodb_url).username != views["MONGO_INITDB_ROOT_USERNAME"]
    writer_url = services["query-projector"]["environment"]["COMANDA_MONGODB_URL"]
    assert urlsplit(mongodb_url).username == "query"
    assert urlsplit(writer_url).username == "query-projector"
    made = services["mongodb-set-up"]["environment"]
    assert urlsplit(mongodb_url).password == made["MONGODB_QUERY_PASSWORD"]
    assert urlsplit(writer_url).password == made["MONGODB_QUERY_PROJECTOR_PASSWORD"]


def test_images_are_of_a_version(services: Services) -> None:
    for each in services.values():
        assert re.search(r":\d+\.\d+", each["image"])
