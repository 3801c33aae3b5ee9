"""NATS is given its whole configuration, with every password and key, wherever it is deployed."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.cluster import of_kind, pods, quantity
from tests.deploy.manifests import KUBERNETES, ROOT, render
from tests.deploy.programs import SERVICES

pytestmark = pytest.mark.programs

NATS = ROOT / "deploy" / "nats"
PRODUCTION = KUBERNETES / "overlays" / "production"
ORDERS_KEPT = "COMANDA_ORDERS_KEPT_MAX"


def files() -> set[Path]:
    return set(NATS.glob("*.conf"))


def passwords() -> set[str]:
    """The variables that the configuration reads."""
    return {
        variable
        for file in files()
        for line in file.read_text().splitlines()
        for variable in re.findall(r"\$(COMANDA_\w+)", line.partition("#")[0])
    }


def names(environment: list[dict[str, Any]]) -> set[str]:
    return {each["name"] for each in environment if "secretKeyRef" in each.get("valueFrom", {})}


def test_the_configuration_asks_for_passwords_and_keys() -> None:
    assert {"COMANDA_NATS_OPERATOR_PASSWORD", "COMANDA_NATS_QUERY_NKEY"} <= passwords()


def test_the_config_map_holds_every_file() -> None:
    (config_map,) = render(NATS)

    assert set(config_map["data"]) == {file.name for file in files()}


def test_the_small_cluster_gives_every_password() -> None:
    (nats,) = pods(render(KUBERNETES / "stores" / "nats"))

    assert names(nats.containers[0]["env"]) == passwords()


def test_the_values_of_the_chart_fit_the_production_overlay() -> None:
    values = yaml.safe_load((PRODUCTION / "nats-values.yaml").read_text())
    manifests = {each["metadata"]["name"] for each in render(PRODUCTION)}

    assert set(values["container"]["env"]) - {"GOMEMLIMIT"} == passwords()
    assert values["config"]["cluster"].items() >= {"enabled": True, "replicas": 3}.items()
    assert values["config"]["jetstream"]["fileStore"]["enabled"]
    assert values["podTemplate"]["merge"]["metadata"]["labels"] == {"comanda/store": "nats"}
    assert values["podTemplate"]["patch"][0]["value"]["configMap"]["name"] in manifests


BYTES_AN_ORDER, BYTES_BESIDE = 3_000, 256 * 1024**2
"""Of memory, for each order whose events are kept, and for everything else."""


def mebibytes(text: str) -> int:
    return int(text.removesuffix("MiB")) * 1024**2


def stream_bytes(size: str) -> int:
    """What the streams of all services are bounded to, in a size."""
    return sum(
        int(number)
        for service in SERVICES
        for each in render(KUBERNETES / service / size)
        if each["kind"] == "ConfigMap"
        for number in re.findall(r"=(\d+)", each["data"].get("COMANDA_STREAM_MAX_BYTES", ""))
    )


@pytest.mark.parametrize(("size", "orders"), [("small", 250_000), ("production", 1_200_000)])
def test_nats_has_room_for_the_orders_that_are_stated(size: str, orders: int) -> None:
    if size == "small":
        (nats,) = pods(render(KUBERNETES / "stores" / "nats"))
        limit = quantity(nats.containers[0]["resources"]["limits"]["memory"])
        environment = {each["name"]: each.get("value") for each in nats.containers[0]["env"]}
        store = quantity(re.findall(r"max_file_store: (\d+)", (NATS / "nats.conf").read_text())[0])
        volume = quantity(
            nats.owner["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"][
                "storage"
            ]
        )
        synced = (NATS / "nats.conf").read_text()
    else:
        values = yaml.safe_load((PRODUCTION / "nats-values.yaml").read_text())
        limit = quantity(values["container"]["merge"]["resources"]["limits"]["memory"])
        environment = values["container"]["env"]
        files = values["config"]["jetstream"]["fileStore"]
        store, volume = quantity(files["maxSize"]), quantity(files["pvc"]["size"])
        synced = "".join(f"{k}: {v}" for k, v in values["config"]["jetstream"]["merge"].items())

    assert BYTES_BESIDE + orders * BYTES_AN_ORDER <= limit
    assert mebibytes(environment["GOMEMLIMIT"]) <= limit * 8 / 10
    assert store <= volume * 8 / 10
    assert stream_bytes(size) <= store
    assert "sync_interval: 1s" in synced
    for owner in ("ordering", "serving"):
        told = [each["data"] for each in of_kind(render(KUBERNETES / owner / size), "ConfigMap")]
        kept = [data[ORDERS_KEPT] for data in told if ORDERS_KEPT in data]
        assert kept == [str(orders)]
    assert f"{orders:,}" in (KUBERNETES / "README.md").read_text()


def test_the_servers_are_in_zones_of_their_own_and_one_may_go_at_a_time() -> None:
    values = yaml.safe_load((PRODUCTION / "nats-values.yaml").read_text())

    for where in ("kubernetes.io/hostname", "topology.kubernetes.io/zone"):
        spread = values["podTemplate"]["topologySpreadConstraints"][where]
        assert spread == {"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    budget = values["podDisruptionBudget"]
    assert budget["enabled"] is True
    lost = budget["merge"]["spec"]["maxUnavailable"]
    assert 2 * (values["config"]["cluster"]["replicas"] - lost) > 3


def test_a_streams_copies_are_in_different_zones_where_there_are_more_servers(
    tmp_path: Path,
) -> None:
    """The server takes the tag from its environment, in which Kubernetes puts the zone."""
    values = yaml.safe_load((PRODUCTION / "nats-zones-values.yaml").read_text())
    environment, config = values["container"]["env"], values["config"]
    members = range(config["cluster"]["replicas"])
    signed = (PRODUCTION / "certificates.yaml").read_text()
    jetstream = {"store_dir": str(tmp_path), **config["jetstream"]["merge"]}
    written = json.dumps({"jetstream": jetstream, **config["merge"]})
    file = tmp_path / "nats.conf"
    file.write_text(re.sub(r'"<< (.*?) >>"', r"\1", written))  # as NATS's chart writes it

    zone = environment["COMANDA_NATS_ZONE"]["value"].replace("$(COMANDA_NATS_ZONE_NAME)", "a")
    done = subprocess.run(
        [Path(sys.executable).with_name("nats-server"), "-t", "-c", file],
        env={"COMANDA_NATS_ZONE": zone},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert zone.startswith(jetstream["unique_tag"])
    assert len(members) > 3
    for number in members:
        assert f"- nats-{number}.nats-headless" in signed
    names = environment["COMANDA_NATS_ZONE_NAME"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert names == "metadata.labels['topology.kubernetes.io/zone']"
