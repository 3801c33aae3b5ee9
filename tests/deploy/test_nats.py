"""NATS is given its whole configuration, and every password in it, wherever it is deployed."""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.cluster import pods
from tests.deploy.manifests import KUBERNETES, ROOT, render

NATS = ROOT / "deploy" / "nats"
PRODUCTION = KUBERNETES / "overlays" / "production"


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
    return {each["name"] for each in environment if "secretKeyRef" in each["valueFrom"]}


def test_the_configuration_asks_for_passwords() -> None:
    assert {"COMANDA_NATS_ORDERING_PASSWORD", "COMANDA_NATS_QUERY_PASSWORD"} <= passwords()


def test_the_config_map_holds_every_file() -> None:
    (config_map,) = render(NATS)

    assert set(config_map["data"]) == {file.name for file in files()}


def test_the_small_cluster_gives_every_password() -> None:
    (nats,) = pods(render(KUBERNETES / "stores" / "nats"))

    assert names(nats.containers[0]["env"]) == passwords()


def test_the_values_of_the_chart_fit_the_production_overlay() -> None:
    values = yaml.safe_load((PRODUCTION / "nats-values.yaml").read_text())
    manifests = {each["metadata"]["name"] for each in render(PRODUCTION)}

    assert set(values["container"]["env"]) == passwords()
    assert values["config"]["cluster"] == {"enabled": True, "replicas": 3}
    assert values["config"]["jetstream"]["fileStore"]["enabled"]
    assert values["podTemplate"]["merge"]["metadata"]["labels"] == {"comanda/store": "nats"}
    assert values["podTemplate"]["patch"][0]["value"]["configMap"]["name"] in manifests
